package mikeyparse_test

import (
	"fmt"

	"github.com/mcxdump/mcxdump/mikeyparse"
)

func Example() {
	body := []byte("a=key-mgmt:mikey ARoFASq83vAAAQsA6Tx/AAAAAAAOCAABAgMEBQYHDgEBAAVzaXA6YQA=")
	raw, form, err := mikeyparse.Decode(body)
	fmt.Println(len(raw), form, err)
	m, err := mikeyparse.Parse(raw, nil)
	fmt.Printf("%s %s %08x %s\n", m.Header.DataType, m.KeyType(), m.CSBID(), m.Timestamp().Time())
	for _, p := range m.Payloads {
		off, end := p.Range()
		fmt.Println(p.Type(), off, end)
	}
	fmt.Println(err)
	// Output:
	// 41 a=key-mgmt line <nil>
	// SAKKE I_MESSAGE CSK 2abcdef0 2024-01-01 00:00:00 +0000 UTC
	// T 10 20
	// RAND 20 30
	// IDR 30 40
	// mikey: idr.role at octet 41 (RFC 6043 6.6): message ends early: wants 1 octets, has 0
}

func ExampleTracer() {
	raw := []byte{1, 6, 12, 0, 0, 0, 0, 7, 0, 1, 0, 1, 0, 0}
	m, _ := mikeyparse.Parse(raw, func(field string, off, end int) {
		if off >= 10 {
			fmt.Println(field, off, end)
		}
	})
	fmt.Println(m.Payloads[0].(*mikeyparse.ERR).ErrorNo)
	// Output:
	// err.next 10 11
	// err.error_no 11 12
	// err.reserved 12 14
	// Invalid timestamp
}
