package flow

import (
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"testing"
)

// borrower holds the loans of what it was handed until it is told to give them back.
type borrower struct{ collect }

func (b *borrower) giveBack() {
	for _, u := range b.units {
		u.Loan.GiveBack()
	}
	b.units = nil
}

// messages feeds n messages of about size octets, some of them in fragments.
func messages(d *Decoder, from, n, size int) {
	for i := from; i < from+n; i++ {
		text := fmt.Sprintf("OPTIONS sip:b@example.org SIP/2.0\r\nCall-ID: %d\r\nContent-Length: %d\r\n\r\n", i, size) + strings.Repeat("x", size)
		dgram := build(udpHeader{5060, 5060}, text)
		step := len(dgram)
		if i%2 == 0 {
			step = (len(dgram)/3 + 8) &^ 7
		}
		for k, p := range split(len(dgram), step) {
			b := fragFrame(false, i, false, dgram, p)
			d.Frame(&Frame{Number: uint64(10*i + k), Time: int64(i) * 1e6, Data: b, Orig: uint32(len(b)), Link: linkEthernet})
		}
	}
}

// What a handler holds stays as it is; what it has given back serves later units, and memory does not grow.
func TestLoans(t *testing.T) {
	var h borrower
	d := New(Config{Lend: true}, &h)
	seen := map[*Loan]bool{}
	var kept *Unit
	for round := range 20 {
		messages(d, 1000*round, 100, 3000)
		if len(h.units) != 100 {
			t.Fatalf("%d units", len(h.units))
		}
		for i, u := range h.units {
			n := 1000*round + i
			if id := fmt.Sprintf("Call-ID: %d\r\n", n); !strings.Contains(string(u.Data), id) || u.Frames[0] != uint64(10*n) || u.Segments[0].Frame != uint64(10*n) {
				t.Fatalf("unit %d of round %d: %q of frames %v", i, round, u.Data[:80], u.Frames)
			}
			if want := 1 + 2*(1-i%2); len(u.Frames) != want || len(u.Segments) != want {
				t.Fatalf("unit %d: %v, %v", i, u.Frames, u.Segments)
			}
			if u.Loan == nil {
				t.Fatalf("unit %d is not lent", i)
			}
			seen[u.Loan] = true
		}
		// The octets of datagrams that were put together are kept a moment longer, to know copies of their fragments by.
		if kept != nil && kept.Data[0] != 0xdb && kept.Frames[0] == uint64(10*(1000*(round-1)+7)) {
			t.Errorf("nothing overwrites what was given back in round %d", round-1)
		}
		kept = h.units[7]
		h.giveBack()
	}
	if len(seen) > 20 {
		t.Errorf("%d loans for 100 messages of 3 kB at a time", len(seen))
	}
}

// Nothing of a unit is left in the next one: all of its members are set.
func TestUnitWhole(t *testing.T) {
	for _, size := range []int{300, 3000} {
		var a, b collect
		da, db := New(Config{Lend: true}, &a), New(Config{Lend: true}, &b)
		v := reflect.ValueOf(&da.unit).Elem()
		for i := range v.NumField() {
			switch f := v.Field(i); f.Kind() {
			case reflect.Slice:
				f.Set(reflect.MakeSlice(f.Type(), 3, 9))
			case reflect.String:
				f.SetString("left")
			case reflect.Bool:
				f.SetBool(true)
			case reflect.Int64:
				f.SetInt(77)
			case reflect.Pointer:
				f.Set(reflect.New(f.Type().Elem()))
			case reflect.Struct:
				f.Set(reflect.ValueOf(netip.MustParseAddrPort("[2001:db8::1]:7")))
			default:
				t.Fatal(v.Type().Field(i).Name)
			}
		}
		messages(da, 0, 1, size)
		messages(db, 0, 1, size)
		ua, ub := a.units[0], b.units[0]
		ua.Loan, ub.Loan = nil, nil
		if !reflect.DeepEqual(ua, ub) {
			t.Errorf("%d octets:\n%+v\n%+v", size, ua, ub)
		}
	}
}

// A handler that stops lending keeps what comes afterwards for good.
func TestStopLending(t *testing.T) {
	var h borrower
	d := New(Config{Lend: true}, &h)
	messages(d, 0, 3, 500)
	d.StopLending()
	messages(d, 3, 300, 3000)
	for i, u := range h.units {
		if (u.Loan != nil) != (i < 3) {
			t.Errorf("unit %d: loan %v", i, u.Loan)
		}
	}
	later := h.units[3:]
	h.giveBack()
	for i, u := range later {
		if !strings.Contains(string(u.Data), fmt.Sprintf("Call-ID: %d\r\n", i+3)) {
			t.Errorf("unit %d was overwritten", i+3)
		}
	}
}

// Datagrams put together of which no unit comes leave no trace in a loan.
func TestLoanRollback(t *testing.T) {
	var h borrower
	d := New(Config{Lend: true}, &h)
	messages(d, 0, 1, 500)
	used := d.loan.used
	rtp := build(ipHeader{proto: protoUDP}, udpHeader{4000, 4002}, make([]byte, 2000))
	inner := build(udpHeader{portGTPU, portGTPU}, raw(cat([]byte{0x30, 255}, be16(len(rtp)), be32(7))), rtp)
	for _, p := range split(len(inner), 800) {
		b := fragFrame(false, 99, false, inner, p)
		d.Frame(&Frame{Number: 50, Time: 1e9, Data: b, Orig: uint32(len(b)), Link: linkEthernet})
	}
	if s := d.Stats(); s.FragmentCompleted != 2 || len(h.units) != 1 {
		t.Fatalf("%d datagrams, %d units", s.FragmentCompleted, len(h.units))
	}
	if d.loan.used != used || d.loan.holders.Load() != 2 {
		t.Errorf("%d octets used, %d before; %d holders", d.loan.used, used, d.loan.holders.Load())
	}
}
