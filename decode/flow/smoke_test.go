package flow

import (
	"testing"

	"github.com/mcxdump/mcxdump/decode/record"
)

type collect struct {
	units    []*Unit
	findings []record.Finding
	contexts []Context
}

func (c *collect) Unit(u *Unit) { c.units = append(c.units, u) }
func (c *collect) Finding(f record.Finding, x Context) {
	c.findings = append(c.findings, f)
	c.contexts = append(c.contexts, x)
}

func TestSmoke(t *testing.T) {
	msg := "OPTIONS sip:a@b SIP/2.0\r\n\r\n"
	b := []byte{0x45, 0, 0, byte(28 + len(msg)), 0, 1, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, 0x13, 0xc4, 0x13, 0xc4, 0, byte(8 + len(msg)), 0, 0}
	b = append(b, msg...)
	var c collect
	d := New(Config{}, &c)
	d.Frame(&Frame{Number: 1, Time: 1, Data: b, Orig: uint32(len(b)), Link: 101})
	if len(c.units) != 1 || string(c.units[0].Data) != msg {
		t.Fatal(c.units, d.Stats())
	}
}
