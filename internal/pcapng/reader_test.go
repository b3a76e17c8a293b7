package pcapng

import (
	"errors"
	"fmt"
	"io"
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"
)

const t0 = 1_700_000_000 // seconds

func TestClassicShapes(t *testing.T) {
	type want struct {
		data  string
		time  int64
		orig  uint32
		link  uint16
		flags uint32
	}
	tests := []struct {
		name string
		b    *builder
		want []want
		fcs  int
	}{
		{"little-endian microseconds", le().pcap(magicMicro, 2, 4, 65535, 1).rec(t0, 7, 5, "hello").rec(t0+1, 999999, 3, "abc"),
			[]want{{"hello", t0*1e9 + 7000, 5, 1, 0}, {"abc", (t0+1)*1e9 + 999999000, 3, 1, 0}}, -1},
		{"big-endian microseconds", be().pcap(magicMicro, 2, 4, 65535, 113).rec(t0, 7, 5, "hello"), []want{{"hello", t0*1e9 + 7000, 5, 113, 0}}, -1},
		{"little-endian nanoseconds", le().pcap(magicNano, 2, 4, 65535, 1).rec(t0, 7, 5, "hello"), []want{{"hello", t0*1e9 + 7, 5, 1, 0}}, -1},
		{"big-endian nanoseconds", be().pcap(magicNano, 2, 4, 65535, 1).rec(t0, 7, 5, "hello"), []want{{"hello", t0*1e9 + 7, 5, 1, 0}}, -1},
		{"modified", le().pcap(magicModified, 2, 4, 65535, 1).u32(t0, 1, 2, 9, 3).u16(8).raw("\x04\x00hi"),
			[]want{{"hi", t0*1e9 + 1000, 9, 1, DirOutbound}}, -1},
		{"modified, broadcast", be().pcap(magicModified, 2, 4, 65535, 1).u32(t0, 1, 2, 9, 3).u16(8).raw("\x01\x00hi"),
			[]want{{"hi", t0*1e9 + 1000, 9, 1, DirInbound | 3<<2}}, -1},
		{"SLL2: a link type above 255", le().pcap(magicMicro, 2, 4, 65535, 276).rec(t0, 0, 1, "x"), []want{{"x", t0 * 1e9, 1, 276, 0}}, -1},
		{"FCS of four octets", le().pcap(magicMicro, 2, 4, 65535, 0x24000001).rec(t0, 0, 1, "x"), []want{{"x", t0 * 1e9, 1, 1, 0}}, 4},
		{"upper bits without the FCS bit", le().pcap(magicMicro, 2, 4, 65535, 0x20010001).rec(t0, 0, 1, "x"), []want{{"x", t0 * 1e9, 1, 1, 0}}, -1},
		{"version 2.3, lengths swapped", le().pcap(magicMicro, 2, 3, 65535, 1).u32(t0, 0, 60, 2).raw("hi").rec(t0, 0, 9, "abc"),
			[]want{{"hi", t0 * 1e9, 60, 1, 0}, {"abc", t0 * 1e9, 9, 1, 0}}, -1},
		{"version 2.2, lengths swapped", le().pcap(magicMicro, 2, 2, 65535, 1).u32(t0, 0, 60, 2).raw("hi"), []want{{"hi", t0 * 1e9, 60, 1, 0}}, -1},
		{"DG/UX 543.0, lengths swapped", le().pcap(magicMicro, 543, 0, 65535, 1).u32(t0, 0, 2, 2).raw("hi"), []want{{"hi", t0 * 1e9, 2, 1, 0}}, -1},
		{"snap length 0", le().pcap(magicMicro, 2, 4, 0, 1).rec(t0, 0, 5, "hello"), []want{{"hello", t0 * 1e9, 5, 1, 0}}, -1},
		{"captured more than the snap length", le().pcap(magicMicro, 2, 4, 2, 1).rec(t0, 0, 5, "hello"), []want{{"hello", t0 * 1e9, 5, 1, 0}}, -1},
		{"captured more than there was", le().pcap(magicMicro, 2, 4, 65535, 1).rec(t0, 0, 2, "hello"), []want{{"hello", t0 * 1e9, 2, 1, 0}}, -1},
		{"cut by the snap length", le().pcap(magicMicro, 2, 4, 5, 1).rec(t0, 0, 1500, "hello"), []want{{"hello", t0 * 1e9, 1500, 1, 0}}, -1},
		{"latest time", le().pcap(magicNano, 2, 4, 9, 1).rec(math.MaxUint32, math.MaxUint32, 1, "x"), []want{{"x", math.MaxUint32*1e9 + math.MaxUint32, 1, 1, 0}}, -1},
		{"no packets", be().pcap(magicNano, 2, 4, 9, 1), nil, -1},
		{"an empty packet", le().pcap(magicMicro, 2, 4, 9, 1).rec(t0, 0, 0, ""), []want{{"", t0 * 1e9, 0, 1, 0}}, -1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			list, faults, r := readAll(t, rd(tt.b.b), Limits{})
			if len(faults) > 0 {
				t.Fatal(faults[0])
			}
			var have []want
			for _, g := range list {
				have = append(have, want{g.data, g.Time, g.Orig, g.Link, g.Flags})
				if g.NoTime || g.Interface != 0 || g.Comments != nil {
					t.Errorf("packet %+v", g)
				}
			}
			if !slices.Equal(have, tt.want) {
				t.Errorf("have %v\nwant %v", have, tt.want)
			}
			if f := r.Interfaces()[0].FCS; f != tt.fcs {
				t.Errorf("FCS %d, want %d", f, tt.fcs)
			}
			if r.Offset() != int64(len(tt.b.b)) {
				t.Errorf("offset %d of %d", r.Offset(), len(tt.b.b))
			}
		})
	}
}

func TestBlocks(t *testing.T) {
	for _, w := range []*builder{le(), be()} {
		var secrets []string
		var stats []Statistics
		var names, sections []string
		w.shb(option(2, "hw"), option(3, "os"), option(4, "app"), option(1, "why"), option(0, ""))
		n1 := len(w.b)
		w.idb(1, 100, option(2, "eth0\x00"), option(3, "the lan"), option(9, "\x09"), option(11, "\x00port 5060"), option(12, "linux"), option(13, "\x04"), option(15, "nic"), option(0, ""))
		w.idb(276, 4)
		w.epb(0, t0*1e9+5, 5, "hello", option(1, "first"), func(b *builder) { b.u16(2, 4).u32(0x22) }, option(1, "second"), option(0, ""))
		w.epb(1, t0*1e6, 60, "abc", func(b *builder) { b.u16(4, 8).u64(17) })
		w.block(blockSPB, func(b *builder) { b.u32(3).raw("spb") })
		w.block(blockPB, func(b *builder) {
			b.u16(0, 3).u32(uint32(t0*1e9>>32), uint32(uint64(t0*1e9)&math.MaxUint32), 2, 2).raw("pb")
		})
		w.block(blockPB, func(b *builder) { b.u16(1, 0xffff).u32(0, 1, 1, 1).raw("q") })
		w.block(blockDSB, func(b *builder) { b.u32(uint32(SecretsTLSKeyLog), 5).raw("KEYS\n") })
		w.block(blockNRB, func(b *builder) {
			b.opt(1, "\x0a\x00\x00\x01a.example\x00b.example\x00").opt(2, "0123456789abcdefv6.example\x00").opt(3, "xxxxxxmac\x00").opt(0, "")
		})
		w.block(blockISB, func(b *builder) {
			b.u32(0, uint32(t0*1e9>>32), uint32(uint64(t0*1e9)&math.MaxUint32))
			b.u16(2, 8).u32(0, 7).u16(4, 8).u64(1000).u16(5, 8).u64(40).u16(7, 8).u64(2)
		})
		w.block(blockCustom, func(b *builder) { b.u32(32473).raw("anything") })
		w.block(blockCustomN, func(b *builder) { b.u32(32473) })
		w.block(0x12345678, func(b *builder) { b.raw("unknown block") })
		w.block(blockJournal, func(b *builder) { b.raw("__CURSOR=") })
		w.epb(0, 1, 1, "z")

		r, err := NewReader(rd(w.b), Limits{})
		if err != nil {
			t.Fatal(err)
		}
		r.OnSecrets = func(s Secrets) {
			secrets = append(secrets, fmt.Sprintf("%v %s", s.Type == SecretsTLSKeyLog, s.Reveal()))
		}
		r.OnStatistics = func(_ int, s Statistics) { stats = append(stats, s) }
		r.OnNames = func(a []byte, n string) { names = append(names, fmt.Sprintf("%x=%s", a, n)) }
		r.OnSection = func(s Section) { sections = append(sections, s.OS) }
		list, faults := drain(t, r)
		if len(faults) > 0 {
			t.Fatal(faults[0])
		}
		var have []string
		for _, g := range list {
			have = append(have, fmt.Sprintf("%s %d/%d if%d link%d flags%x drops%d %v notime=%v", g.data, g.Time, g.Orig, g.Interface, g.Link, g.Flags, g.Drops, g.Comments, g.NoTime))
		}
		want := []string{
			"hello 1700000000000000005/5 if0 link1 flags22 drops0 [first second] notime=false",
			"abc 1700000000000000000/60 if1 link276 flags0 drops17 [] notime=false",
			"spb 1700000000000000000/3 if0 link1 flags0 drops0 [] notime=true",
			"pb 1700000000000000000/2 if0 link1 flags0 drops3 [] notime=false",
			"q 1000/1 if1 link276 flags0 drops0 [] notime=false",
			"z 1/1 if0 link1 flags0 drops0 [] notime=false",
		}
		if !slices.Equal(have, want) {
			t.Errorf("have %s\nwant %s", strings.Join(have, "\n"), strings.Join(want, "\n"))
		}
		if list[0].Direction() != DirOutbound {
			t.Errorf("direction %d", list[0].Direction())
		}
		i := r.Interfaces()[0]
		if i.Name != "eth0" || i.Description != "the lan" || i.Filter != "port 5060" || i.OS != "linux" || i.Hardware != "nic" || i.FCS != 4 ||
			i.Resolution != 9 || i.SnapLen != 100 || i.Off != int64(n1) || i.Packets != 4 || i.DropsEPB != 3 || i.Dropped() != 42 {
			t.Errorf("interface %+v", i)
		}
		if i := r.Interfaces()[1]; i.Dropped() != 17 || i.Stats != nil {
			t.Errorf("interface %+v", i)
		}
		if s := r.Section(); s.Hardware != "hw" || s.OS != "os" || s.Application != "app" || s.Comment != "why" || s.Length != -1 || s.BigEndian != r.big {
			t.Errorf("section %+v", s)
		}
		if !slices.Equal(secrets, []string{"true KEYS\n"}) {
			t.Errorf("secrets %q", secrets)
		}
		if !slices.Equal(names, []string{"0a000001=a.example", "0a000001=b.example", "30313233343536373839616263646566=v6.example"}) {
			t.Errorf("names %q", names)
		}
		wantStat := Statistics{Time: t0 * 1e9, Start: 7, Received: 1000, Dropped: 40, OSDropped: 2, Has: HasStart | HasReceived | HasDropped | HasOSDropped}
		if len(stats) != 1 || stats[0] != wantStat {
			t.Errorf("statistics %+v", stats)
		}
		c := r.Counts()
		if c.Packets != 6 || c.Truncated != 1 || c.Custom != 2 || c.Unknown != 2 || c.BadOptions+c.BadTrailers+c.BadRecords+c.ShortPackets+c.OverLimit+c.Faults+c.Skipped != 0 {
			t.Errorf("counts %+v", c)
		}
		if len(sections) != 0 || r.Sections() != 1 {
			t.Errorf("sections %v", sections) // the first one comes before callbacks can be set
		}
	}
}

// Sections of both byte orders follow each other; interface numbers and times start anew in each.
func TestSections(t *testing.T) {
	for name, length := range map[string]uint64{"unknown": ^uint64(0), "zero": 0, "wrong": 1 << 40, "short": 8} {
		a, b := le().shb().idb(1, 0).idb(101, 0).epb(1, 5, 1, "a"), be()
		b.block(blockSHB, func(b *builder) { b.u32(byteOrderMagic).u16(1, 2).u64(length) })
		b.idb(113, 0, option(9, "\x00")).epb(0, 2, 1, "b")
		all := append(slices.Clone(a.b), b.b...)
		all = append(all, le().shb().idb(276, 0).epb(0, 3, 1, "c").b...)
		list, faults, r := readAll(t, rd(all), Limits{})
		if len(faults) > 0 {
			t.Fatal(name, faults[0])
		}
		var have []string
		for _, g := range list {
			have = append(have, fmt.Sprintf("%s %d %d %d", g.data, g.Link, g.Interface, g.Time))
		}
		if want := []string{"a 101 1 5000", "b 113 2 2000000000", "c 276 3 3000"}; fmt.Sprint(have) != fmt.Sprint(want) {
			t.Errorf("%s: have %q, want %q", name, have, want)
		}
		if r.Sections() != 3 {
			t.Errorf("%d sections", r.Sections())
		}
	}
}

// Faults: what is delivered, the errors, and where reading went on.
func TestFaults(t *testing.T) {
	pc := func() *builder { return le().pcap(magicMicro, 2, 4, 65535, 1).rec(t0, 1, 5, "first") }
	ng := func() *builder { return le().shb().idb(1, 0).epb(0, 1, 5, "first") }
	long := strings.Repeat("x", 300000)
	tests := []struct {
		name   string
		b      []byte
		data   string   // packets, joined with commas
		faults []string // beginnings of the error texts; "+" in front of resumed ones
	}{
		{"pcap: absurd length, records behind", pc().u32(t0, 2, 0xfffffff0, 60).raw("junk").rec(t0+1, 3, 6, "second").rec(t0+1, 4, 5, "third").b,
			"first,second,third", []string{"+packet record at octet 45 says it is 4 GiB long; reading goes on at octet 65"}},
		{"pcap: absurd length, nothing behind", pc().u32(t0, 2, 0xfffffff0, 60).raw("junk").b,
			"first", []string{"packet record at octet 45 says it is 4 GiB long; the file ends at octet 65"}},
		{"pcap: long within the limit, the file ends", pc().u32(t0, 2, 5<<20, 5<<20).raw("junk").b,
			"first", []string{"packet record at octet 45 says it is 5 MiB long; the file ends at octet 65"}},
		{"pcap: decoys of another time", pc().u32(t0, 2, 0xfffffff0, 60).rec(t0+900000, 1, 5, "decoy").rec(t0+900000, 1, 5, "decoy").rec(t0+1, 3, 6, "second").rec(t0+1, 4, 5, "third").b,
			"first,second,third", []string{"+packet record at octet 45 says it is 4 GiB long; reading goes on at octet 103"}},
		{"pcap: a decoy with nothing behind it", pc().u32(t0, 2, 0xfffffff0, 60).rec(t0, 1, 5, "decoy").raw("~~~~~~~").rec(t0+1, 3, 6, "second").rec(t0+1, 4, 5, "third").b,
			"first,second,third", []string{"+packet record at octet 45 says it is 4 GiB long; reading goes on at octet 89"}},
		{"pcap: a long packet", pc().rec(t0, 2, 300000, long).rec(t0+1, 3, 6, "second").b, "first," + long + ",second", nil},
		{"pcap: a long packet at the end", pc().rec(t0, 2, 300000, long).b, "first," + long, nil},
		{"pcap: long within the limit, records within", pc().u32(t0, 2, 300000, 300000).raw("junk").rec(t0+1, 3, 6, "second").rec(t0+1, 4, 200000, long[:200000]).rec(t0+1, 5, 200000, long[:200000]).b,
			"first,second," + long[:200000] + "," + long[:200000], []string{"+packet record at octet 45 says it is 300000 octets long; reading goes on at octet 65"}},
		{"pcap: a hole of zeros", pc().raw(strings.Repeat("\x00", 4096)).rec(t0+5, 0, 6, "second").b,
			"first,second", []string{"+packet record at octet 45 is all zeros; reading goes on at octet 4141"}},
		{"pcap: zeros to the end", pc().raw(strings.Repeat("\x00", 4096)).b,
			"first", []string{"packet record at octet 45 is all zeros, and so is the rest of the file; the file ends at octet 4141"}},
		{"pcap: cut header", pc().raw("12345").b, "first", []string{"packet record at octet 45 has 5 of the 16 octets of its header; the file ends at octet 50"}},
		{"pcap: cut data", pc().u32(t0, 0, 100, 100).raw("12345").b, "first", []string{"packet record at octet 45 has 21 of its 116 octets; the file ends at octet 66"}},
		{"pcapng: 4 GiB block, blocks behind", ng().u32(6, 0xfffffffc).raw("junkjunk").epb(0, 2, 6, "second").b,
			"first,second", []string{"+enhanced packet block at octet 88 says it is 4 GiB long; reading goes on at octet 104"}},
		{"pcapng: 4 GiB block", ng().u32(6, 0xfffffffc).raw("junkjunk").b,
			"first", []string{"enhanced packet block at octet 88 says it is 4 GiB long; the file ends at octet 104"}},
		{"pcapng: unknown block of 4 GiB", ng().u32(77, 0xfffffffc).raw("junkjunk").epb(0, 2, 6, "second").b,
			"first,second", []string{"+block at octet 88 says it is 4 GiB long; reading goes on at octet 104"}},
		{"pcapng: custom block of 1 GiB", ng().u32(blockCustom, 1<<30).raw("junkjunk").b,
			"first", []string{"custom block at octet 88 says it is 1 GiB long; the file ends at octet 104"}},
		{"pcapng: packet of 1 GiB in a file of 100 octets", ng().u32(6, 0x40000020, 0, 0, 0, 0x40000000, 60).b,
			"first", []string{"enhanced packet block at octet 88 says it is 1 GiB long; the file ends at octet 116"}},
		{"pcapng: captured length over the block", ng().block(6, func(b *builder) { b.u32(0, 0, 0, 0x40000000, 60).raw("four") }).epb(0, 2, 6, "second").b,
			"first,four,second", nil},
		{"pcapng: a decoy whose packet does not fit", ng().u32(6, 0xfffffffc).u32(6, 40, 0, 0, 0, 9999, 6).raw("decoy\x00\x00\x00").u32(40).epb(0, 2, 6, "second").b,
			"first,second", []string{"+enhanced packet block at octet 88 says it is 4 GiB long; reading goes on at octet 136"}},
		{"pcapng: 1 MiB with a packet of 6 octets, the file ends", ng().u32(6, 1<<20, 0, 0, 0, 6, 6).raw("second\x00\x00").u32(40).epb(0, 2, 5, "third").b,
			"first,third", []string{"+enhanced packet block at octet 88 says it is 1 MiB long; reading goes on at octet 128"}},
		{"pcapng: block of 4 octets", ng().u32(6, 4).epb(0, 2, 6, "second").b,
			"first,second", []string{"+enhanced packet block at octet 88 says it is 4 octets long; reading goes on at octet 96"}},
		{"pcapng: block of 0 octets", ng().u32(6, 0).epb(0, 2, 6, "second").b,
			"first,second", []string{"+enhanced packet block at octet 88 says it is 0 octets long; reading goes on at octet 96"}},
		{"pcapng: EPB too small", ng().block(6, func(b *builder) { b.u32(0, 0) }).epb(0, 2, 6, "second").b,
			"first,second", []string{"+enhanced packet block at octet 88 is 20 octets long; it needs 32"}},
		{"pcapng: IDB too small", ng().block(1, func(b *builder) { b.u32(0) }).epb(0, 2, 6, "second").b,
			"first,second", []string{"+interface description block at octet 88 is 16 octets long; it needs 20"}},
		{"pcapng: SPB too small", ng().block(3, func(b *builder) {}).epb(0, 2, 6, "second").b,
			"first,second", []string{"+simple packet block at octet 88 is 12 octets long; it needs 16"}},
		{"pcapng: SHB too small", ng().block(blockSHB, func(b *builder) { b.u32(byteOrderMagic, 1) }).epb(0, 2, 6, "second").b,
			"first,second", []string{"+section header block at octet 88 is 20 octets long; it needs 28"}},
		{"pcapng: an interface not described", ng().epb(7, 2, 4, "lost").epb(0, 2, 6, "second").b,
			"first,second", []string{"+enhanced packet block at octet 88 names interface 7; the section has described 1"}},
		{"pcapng: SPB without interface", le().shb().block(3, func(b *builder) { b.u32(1).raw("x") }).idb(1, 0).epb(0, 0, 1, "y").b,
			"y", []string{"+simple packet block at octet 28 names interface 0; the section has described 0"}},
		{"pcapng: trailer wrong, blocks behind", ng().u32(6, 40, 0, 0, 0, 6, 6).raw("second\x00\x00").u32(77).epb(0, 2, 5, "third").b,
			"first,second,third", nil},
		{"pcapng: trailer wrong at the end", ng().u32(6, 40, 0, 0, 0, 6, 6).raw("second\x00\x00").u32(77).b, "first,second", nil},
		{"pcapng: length too long by some", ng().u32(6, 52, 0, 0, 0, 6, 6).raw("second\x00\x00").u32(40).epb(0, 2, 5, "third").epb(0, 2, 6, "fourth").b,
			"first,third,fourth", []string{"+enhanced packet block at octet 88 says it is 52 octets long, and "}},
		{"pcapng: zeros to the end", ng().raw(strings.Repeat("\x00", 400)).b,
			"first", []string{"block at octet 88 is zeros, as is the rest of the file; the file ends at octet 488"}},
		{"pcapng: a hole of zeros", ng().raw(strings.Repeat("\x00", 400)).epb(0, 2, 6, "second").b,
			"first,second", []string{"+block at octet 88 says it is 0 octets long; reading goes on at octet 488"}},
		{"pcapng: version 2 section", append(ng().b, func() []byte {
			w := be().block(blockSHB, func(b *builder) { b.u32(byteOrderMagic).u16(2, 0).u64(0) })
			return append(w.epb(0, 1, 1, "x").b, le().shb().idb(1, 0).epb(0, 0, 4, "last").b...)
		}()...), "first,last", []string{"+section header block at octet 88 is of pcapng version 2.0; known is 1"}},
		{"pcapng: section without byte order", ng().block(blockSHB, func(b *builder) { b.u32(1, 1, 1, 1) }).epb(0, 2, 6, "second").b,
			"first,second", []string{"+section header block at octet 88 has no byte-order magic; reading goes on at octet 116"}},
		{"pcapng: length not a multiple of four, padded", ng().u32(6, 38, 0, 0, 0, 6, 6).raw("second").u32(38).raw("\x00\x00").epb(0, 2, 5, "third").b,
			"first,second,third", nil},
		{"pcapng: length not a multiple of four, without padding", ng().u32(6, 38, 0, 0, 0, 6, 6).raw("second").u32(38).epb(0, 2, 5, "third").b,
			"first,second,third", nil},
		{"pcapng: length not a multiple of four, block padded", ng().u32(6, 38, 0, 0, 0, 6, 6).raw("second\x00\x00").u32(38).epb(0, 2, 5, "third").b,
			"first,second,third", nil},
		{"pcapng: length not a multiple of four, at the end", ng().u32(6, 38, 0, 0, 0, 6, 6).raw("second").u32(38).b, "first,second", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, piece := range []int{len(tt.b), 1, 13} {
				list, faults, _ := readAll(t, &dripping{tt.b, piece}, Limits{})
				if d := join(list); d != tt.data {
					t.Errorf("packets %.200q, want %.200q", d, tt.data)
				}
				checkFaults(t, faults, tt.faults)
			}
		})
	}
}

func checkFaults(t *testing.T, faults []*Error, want []string) {
	t.Helper()
	if len(faults) != len(want) {
		t.Fatalf("%d faults, want %d: %v", len(faults), len(want), faults)
	}
	for k, f := range faults {
		text := f.Error()
		if f.Resumed {
			text = "+" + text
		}
		if !strings.HasPrefix(text, want[k]) {
			t.Errorf("fault  %s\nwanted %s", text, want[k])
		}
		if !f.Resumed && !strings.Contains(text, "zeros") && !errors.Is(f, io.ErrUnexpectedEOF) {
			t.Errorf("%v is not io.ErrUnexpectedEOF", f)
		}
	}
}

func join(list []got) string {
	var s []string
	for _, g := range list {
		s = append(s, g.data)
	}
	return strings.Join(s, ",")
}

// Malformed options never lose a packet, an interface or a section.
func TestBadOptions(t *testing.T) {
	bad := map[string]string{
		"length over the end":        "\x01\x00\xff\x00ab\x00\x00",
		"end of options with length": "\x00\x00\x04\x00abcd",
		"flags of 2 octets":          "\x02\x00\x02\x00ab\x00\x00",
		"dropcount of 4 octets":      "\x04\x00\x04\x00abcd",
	}
	for name, opts := range bad {
		w := le().shb(func(b *builder) { b.raw("\x01\x00\xff\xff") }).
			idb(1, 0, func(b *builder) {
				b.raw("\x09\x00\x02\x00\x06\x06\x00\x00\x0e\x00\x04\x00\x01\x01\x01\x01\x02\x00\xf0\xff")
			}).
			epb(0, 1, 5, "hello", func(b *builder) { b.raw(opts) }).epb(0, 2, 4, "next")
		list, faults, r := readAll(t, rd(w.b), Limits{})
		if d := join(list); d != "hello,next" || len(faults) > 0 {
			t.Errorf("%s: %q %v", name, d, faults)
		}
		if list[0].Time != 1000 {
			t.Errorf("%s: time %d: a bad if_tsresol or if_tsoffset was used", name, list[0].Time)
		}
		if n := r.Counts().BadOptions; n != 5 {
			t.Errorf("%s: %d bad options counted, want 5", name, n)
		}
	}
}

// Each limit is kept and counted.
func TestLimits(t *testing.T) {
	w := le().shb().idb(1, 0).idb(1, 0).idb(1, 0)
	w.block(blockDSB, func(b *builder) { b.u32(uint32(SecretsTLSKeyLog), 8).raw("12345678") })
	w.block(blockDSB, func(b *builder) { b.u32(uint32(SecretsTLSKeyLog), 8).raw("12345678") })
	w.epb(1, 0, 1, "a", option(1, "x"), option(1, "y"), option(1, "z")).epb(2, 0, 1, "b").epb(0, 0, 1, "c")
	r, err := NewReader(rd(w.b), Limits{Interfaces: 2, Comments: 2, Secrets: 10})
	if err != nil {
		t.Fatal(err)
	}
	given := 0
	r.OnSecrets = func(s Secrets) { given += len(s.Reveal()) }
	list, faults := drain(t, r)
	if join(list) != "a,c" || len(list[0].Comments) != 2 || given != 8 || len(r.Interfaces()) != 2 {
		t.Errorf("packets %q, comments %q, %d octets of secrets, %d interfaces", join(list), list[0].Comments, given, len(r.Interfaces()))
	}
	checkFaults(t, faults, []string{"+enhanced packet block at octet 204 names interface 2, which is over the limit of 2 interfaces"})
	if c := r.Counts(); c.OverLimit != 3 || c.Faults != 1 {
		t.Errorf("counts %+v", c)
	}

	// A block longer than the limit which may be long in earnest is stepped over; the buffer stays small.
	w = le().shb().block(blockCustom, func(b *builder) { b.raw(strings.Repeat("x", 1<<20)) }).idb(1, 0).epb(0, 0, 1, "a")
	list, faults, r = readAll(t, rd(w.b), Limits{Block: 64 << 10, Chunk: 4096})
	if join(list) != "a" || len(faults) > 0 || r.Counts().OverLimit != 1 {
		t.Errorf("%q %v %+v", join(list), faults, r.Counts())
	}
	if len(r.buf) > 64<<10+4096 {
		t.Errorf("buffer of %d octets", len(r.buf))
	}
}

// Secrets are not printed by any verb.
func TestSecretsWithheld(t *testing.T) {
	s := Secrets{Type: SecretsTLSKeyLog, data: func() []byte { return []byte("CLIENT_RANDOM") }}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%q"} {
		for _, v := range []any{s, &s, struct{ k Secrets }{s}, []Secrets{s}} {
			if text := fmt.Sprintf(verb, v); strings.Contains(text, "CLIENT") || strings.Contains(text, "434c49454e54") || strings.Contains(text, "67 76 73") {
				t.Errorf("%s prints %s", verb, text)
			}
		}
	}
	if string(s.Reveal()) != "CLIENT_RANDOM" || (Secrets{}).Reveal() != nil {
		t.Error("Reveal")
	}
}

// No length field sizes an allocation.
func TestNoAllocationByLength(t *testing.T) {
	for name, b := range map[string][]byte{
		"pcap":           le().pcap(magicMicro, 2, 4, 0xffffffff, 1).u32(t0, 0, 15<<20, 15<<20).raw("x").b,
		"pcap, snap":     le().pcap(magicMicro, 2, 4, 15<<20, 1).u32(t0, 0, 15<<20, 15<<20).raw("x").b,
		"pcapng":         le().shb().idb(1, 0).u32(6, 15<<20, 0, 0, 0, 15<<20-32, 15<<20).raw("x").b,
		"pcapng, header": le().u32(blockSHB, 15<<20, byteOrderMagic).raw("x").b,
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		readAll(t, rd(b), Limits{Chunk: 4096})
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; n > 64<<10 {
			t.Errorf("%s: %d octets allocated", name, n)
		}
	}
}

// A read error is told apart from an end, and does not hide what came before it.
func TestReadError(t *testing.T) {
	cause := errors.New("disk on fire")
	for _, w := range []*builder{le().pcap(magicMicro, 2, 4, 0, 1).rec(t0, 0, 1, "a"), le().shb().idb(1, 0).epb(0, 0, 1, "a")} {
		for _, more := range []string{"", "half"} {
			src := io.MultiReader(rd(w.b), strings.NewReader(more), errReader{cause})
			list, faults, _ := readAll(t, src, Limits{})
			if join(list) != "a" || len(faults) != 1 || !errors.Is(faults[0], cause) || faults[0].Resumed {
				t.Errorf("%q %v", join(list), faults)
			}
		}
	}
	if _, err := NewReader(errReader{cause}, Limits{}); !errors.Is(err, cause) {
		t.Errorf("%v", err)
	}
	if _, err := NewReader(errReader{nil}, Limits{}); !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("%v", err)
	}
}

type errReader struct{ err error }

func (e errReader) Read([]byte) (int, error) { return 0, e.err }

// Blocks without packets that cannot be read cost nothing but a count, and give what of them makes sense.
func TestBadRecords(t *testing.T) {
	for _, tt := range []struct {
		name    string
		block   func(*builder)
		bad     uint64
		options uint64
		log     string
	}{
		{"secrets longer than the block", func(w *builder) {
			w.block(blockDSB, func(b *builder) { b.u32(uint32(SecretsTLSKeyLog), 999).raw("keys") })
		}, 1, 0, "keys"},
		{"secrets block too small", func(w *builder) { w.block(blockDSB, func(b *builder) { b.u32(1) }) }, 1, 0, ""},
		{"name record longer than the block", func(w *builder) {
			w.block(blockNRB, func(b *builder) { b.opt(1, "abcdx\x00").u16(1, 99).raw("abcd") })
		}, 1, 0, "61626364=x"},
		{"name record shorter than its address", func(w *builder) {
			w.block(blockNRB, func(b *builder) { b.opt(2, "abcdx").opt(1, "abcdx").opt(0, "") })
		}, 1, 0, "61626364=x"},
		{"statistics of no interface", func(w *builder) { w.block(blockISB, func(b *builder) { b.u32(9, 0, 0) }) }, 1, 0, ""},
		{"statistics block too small", func(w *builder) { w.block(blockISB, func(b *builder) { b.u32(0) }) }, 1, 0, ""},
		{"a counter of four octets", func(w *builder) {
			w.block(blockISB, func(b *builder) { b.u32(0, 0, 0).u16(5, 4).u32(7).u16(4, 8).u64(3).u16(99, 0) })
		}, 0, 1, "received 3 dropped 0"},
		{"all counters", func(w *builder) {
			w.block(blockISB, func(b *builder) {
				b.u32(0, 0, 5).u16(3, 8).u32(0, 6).u16(4, 8).u64(1).u16(6, 8).u64(2).u16(8, 8).u64(3)
			})
		}, 0, 0, "received 1 dropped 0 end 6000 accepted 2 delivered 3"},
	} {
		for _, w := range []*builder{le(), be()} {
			w.shb().idb(1, 0).epb(0, 0, 1, "a")
			tt.block(w)
			w.epb(0, 0, 1, "b")
			r, err := NewReader(rd(w.b), Limits{})
			if err != nil {
				t.Fatal(err)
			}
			log := ""
			r.OnSecrets = func(s Secrets) { log += string(s.Reveal()) }
			r.OnNames = func(a []byte, n string) { log += fmt.Sprintf("%x=%s", a, n) }
			r.OnStatistics = func(_ int, s Statistics) {
				log += fmt.Sprintf("received %d dropped %d", s.Received, s.Dropped)
				if s.Has&HasEnd != 0 {
					log += fmt.Sprintf(" end %d accepted %d delivered %d", s.End, s.Accepted, s.Delivered)
				}
			}
			list, faults := drain(t, r)
			c := r.Counts()
			if join(list) != "a,b" || len(faults) > 0 || c.BadRecords != tt.bad || c.BadOptions != tt.options || log != tt.log {
				t.Errorf("%s: packets %q, faults %v, %+v, %q", tt.name, join(list), faults, c, log)
			}
		}
	}
}

// Reading goes on at a block of any known type, also at a section of the other byte order.
func TestResyncTargets(t *testing.T) {
	head := func() *builder { return le().shb().idb(1, 0).epb(0, 1, 5, "first").u32(6, 4) }
	other := be().shb().idb(1, 0).epb(0, 0, 4, "last")
	for name, b := range map[string][]byte{
		"section":            append(head().b, other.b...),
		"interface":          head().idb(1, 0).epb(0, 0, 4, "last").b,
		"simple packet":      head().block(blockSPB, func(b *builder) { b.u32(4).raw("last") }).b,
		"packet":             head().block(blockPB, func(b *builder) { b.u16(0, 0).u32(0, 0, 4, 4).raw("last") }).b,
		"statistics":         head().block(blockISB, func(b *builder) { b.u32(0, 0, 0) }).epb(0, 0, 4, "last").b,
		"section, decoy":     append(head().block(blockSHB, func(b *builder) { b.u32(1, 2, 3, 4) }).b, other.b...),
		"odd place":          append(append(head().b, "odd"...), le().epb(0, 0, 4, "last").b...),
		"small decoy":        head().block(blockEPB, func(b *builder) {}).epb(0, 0, 4, "last").b,
		"small idb decoy":    head().block(blockIDB, func(b *builder) {}).epb(0, 0, 4, "last").b,
		"small spb decoy":    head().block(blockSPB, func(b *builder) {}).epb(0, 0, 4, "last").b,
		"small shb decoy":    head().block(blockSHB, func(b *builder) { b.u32(byteOrderMagic, 0) }).epb(0, 0, 4, "last").b,
		"length not of four": head().u32(5, 13, 0).raw("x").u32(13).epb(0, 0, 4, "last").b,
	} {
		list, faults, _ := readAll(t, rd(b), Limits{})
		if join(list) != "first,last" || len(faults) != 1 || !faults[0].Resumed {
			t.Errorf("%s: %q %v", name, join(list), faults)
		}
	}
}

// The captured length of a simple packet is the smallest of snap length, original length and what the block holds.
func TestSimplePacket(t *testing.T) {
	w := le().shb().idb(1, 4)
	w.block(blockSPB, func(b *builder) { b.u32(2).raw("abcd") })
	w.block(blockSPB, func(b *builder) { b.u32(100).raw("abcdefgh") })
	w.block(blockSPB, func(b *builder) { b.u32(3) })
	list, faults, r := readAll(t, rd(w.b), Limits{})
	if join(list) != "ab,abcd," || len(faults) > 0 || r.Counts().ShortPackets != 1 || r.Counts().Truncated != 2 {
		t.Errorf("%q %v %+v", join(list), faults, r.Counts())
	}
}
