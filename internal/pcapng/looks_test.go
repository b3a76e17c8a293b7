package pcapng

import (
	"errors"
	"strings"
	"testing"
)

func TestNotCapture(t *testing.T) {
	erf := make([]byte, 64)
	for k := range 2 {
		r := erf[32*k:]
		copy(r[4:], "\x00\xf1\x53\x65") // seconds, little-endian
		r[8], r[11] = 2, 32
	}
	tests := []struct{ in, want string }{
		{"", "the file is empty"},
		{"GMBU\x00\x02", "not a capture file: it looks like Microsoft NetMon 2.x; convert it with editcap -F pcapng"},
		{"RTSS\x00\x01", "Microsoft NetMon 1.x"},
		{"snoop\x00\x00\x00\x00\x00\x00\x02", "Sun snoop"},
		{"TRSNIFF data    \x1a", "Network General Sniffer"},
		{"\x7fver", "Peektagged"},
		{"ObserverPktBuffer", "Network Instruments Observer"},
		{"+---------+---------------+----------+\r\n", "Tektronix K12 text"},
		{"\x01\x10\x4c\x00\x01\x05Trace Display Trace File", "Novell LANalyzer"},
		{string(erf), "Endace ERF"},
		{"\x1f\x8b\x08\x00", "gzip"},
		{"\x28\xb5\x2f\xfd", "zstd"},
		{"\xfd7zXZ\x00", "xz; unpack it"},
		{"BZh91AY", "bzip2"},
		{"PK\x03\x04", "ZIP"},
		{strings.Repeat("a", 257) + "ustar\x0000", "tar archive"},
		{"<!DOCTYPE html><html>", "HTML; a download may have given an error page"},
		{"\ufeff\n <HTML>", "HTML"},
		{"<?xml version='1.0'?>", "XML"},
		{`{"schema":"mcxdump/1","record":"message"}` + "\n", OwnJSON},
		{`[{"_index": "x"}]`, "JSON"},
		{"SIP/2.0 200 OK\r\n", "a SIP message as text"},
		{"INVITE sip:a@b SIP/2.0\r\n", "a SIP message as text"},
		{"0000  00 11 22 33", "hex dump; make a capture of it with text2pcap"},
		{"CLIENT_RANDOM 0011", "TLS key log; keys are given with --keys"},
		{"-----BEGIN PRIVATE KEY-----", "PEM"},
		{"Dear all, please find", "text"},
		{"Gr\u00fc\u00dfe aus dem Labor", "text"},
		{"\xff\xfeh\x00i\x00", "UTF-16 text"},
		{strings.Repeat("\x00", 40), "zeros only"},
		{"\x0a\x0d\x0a\x1c\x00\x00\x00\x4d\x3c\x2b\x1a\x01\x00", "pcapng damaged by a transfer in text mode; copy it again in binary mode"},
		{"\x0d\x0a\x0d\x0d\x0d\x0a\x1c\x00\x00\x00\x4d\x3c\x2b\x1a\x01\x00", "pcapng damaged by a transfer in text mode"},
		{"\x0a\x0a\x0a\x0a\x1c\x00\x00\x00\x4d\x3c\x2b\x1a\x01\x00", "pcapng damaged by a transfer in text mode"},
		{"\x01\x02\x03\x04\x05\x06\x07\x08\xfe\xfe", "nothing else known"},
		{"\x01", "nothing else known"},
		{"\x0a\x0d\x0d\x0a\x1c\x00\x00\x00\x99\x99\x99\x99", "nothing else known"},
	}
	for _, tt := range tests {
		_, err := NewReader(strings.NewReader(tt.in), Limits{})
		if !errors.Is(err, ErrNotCapture) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%.40q: %v; want %s", tt.in, err, tt.want)
		}
	}
	// A version that is not known is no reason to call it something else.
	_, err := NewReader(rd(le().pcap(magicMicro, 7, 1, 0, 1).b), Limits{})
	if err == nil || errors.Is(err, ErrNotCapture) || !strings.Contains(err.Error(), "pcap version at octet 4 is 7.1") {
		t.Error(err)
	}
	_, err = NewReader(rd(le().block(blockSHB, func(b *builder) { b.u32(byteOrderMagic).u16(3, 0).u64(0) }).b), Limits{})
	if err == nil || !strings.Contains(err.Error(), "pcapng version 3.0") {
		t.Error(err)
	}
}

// Looks takes anything, of any length.
func FuzzLooks(f *testing.F) {
	for _, l := range looksLike {
		f.Add([]byte(l.magic))
	}
	for _, l := range looksLikeText {
		f.Add([]byte(l.magic))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		e := Looks(b)
		if e.Empty != (len(b) == 0) || e.Error() == "" {
			t.Fatalf("%+v", e)
		}
		if !strings.Contains(e.Error(), e.Looks) || !strings.Contains(e.Error(), e.Hint) {
			t.Fatalf("%v lacks a part", &e)
		}
	})
}
