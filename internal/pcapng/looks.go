package pcapng

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"strings"
	"unicode/utf8"
)

// A look is a way to recognise a file by the octets at its beginning.
type look struct {
	magic, looks, hint string
}

const viaEditcap = "convert it with editcap -F pcapng"

// foreign file formats by their first octets; facts from the formats' own descriptions.
var looksLike = []look{
	{"RTSS", "Microsoft NetMon 1.x", viaEditcap},
	{"GMBU", "Microsoft NetMon 2.x", viaEditcap},
	{"snoop\x00\x00\x00", "Sun snoop", viaEditcap},
	{"btsnoop\x00", "a Bluetooth snoop log", viaEditcap},
	{"TRSNIFF data    \x1a", "Network General Sniffer", viaEditcap},
	{"XCP\x00", "NetXRay or Windows Sniffer", viaEditcap},
	{"\x7fver", "Savvius Peektagged (OmniPeek)", viaEditcap},
	{"iptrace 1.0", "AIX iptrace 1.0", viaEditcap},
	{"iptrace 2.0", "AIX iptrace 2.0", viaEditcap},
	{"ObserverPktBuffe", "Network Instruments Observer", viaEditcap},
	{"Session Transcript", "Catapult DCT2000", viaEditcap},
	{"\x00\x00\x02\x00\x12\x05\x00\x10", "Tektronix K12", viaEditcap},
	{"\x05VNF", "Visual Networks", viaEditcap},
	{"TR\x00d\x00", "HP-UX nettl", viaEditcap},
	{"\xaa\xaa\xaa\xaa", "5Views", viaEditcap},
	{"\x01\x10\x4c\x00\x01\x05Trace Disp", "Novell LANalyzer", viaEditcap},
	{"+---------+-----", "Tektronix K12 text", viaEditcap},
	{"LOGG", "a Vector BLF log", viaEditcap},
	{"#!rtpplay1.0 ", "rtpdump", viaEditcap},
	{"ETHERWATCH ", "VMS Etherwatch text", viaEditcap},
	{"\x1c\x00\x01\xab", "IXIA lcap", viaEditcap},
	{"\x1c\x00\x01\xac", "IXIA lcap", viaEditcap},
	{"\xab\x01\x00\x1c", "IXIA lcap", viaEditcap},
	{"\xac\x01\x00\x1c", "IXIA lcap", viaEditcap},
	{"HEP3", "HEP (Homer) packets, not wrapped in a capture", ""},
	{"\x1f\x8b", "gzip", "it is compressed once more than expected: unpack it with gzip -dc"},
	{"\x28\xb5\x2f\xfd", "zstd", "it is compressed once more than expected: unpack it with zstd -dc"},
	{"BZh", "bzip2", "unpack it with bzip2 -dc FILE | mcxdump read -"},
	{"\xfd7zXZ\x00", "xz", "unpack it with xz -dc FILE | mcxdump read -"},
	{"\x04\x22\x4d\x18", "LZ4", "unpack it with lz4 -dc FILE | mcxdump read -"},
	{"PK\x03\x04", "a ZIP archive", "unpack it first"},
	{"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", "unpack it first"},
	{"Rar!\x1a\x07", "a RAR archive", "unpack it first"},
	{"\x7fELF", "an ELF program", ""},
	{"%PDF-", "a PDF document", ""},
	{"\x89PNG\r\n", "a PNG image", ""},
	{"SQLite format 3\x00", "an SQLite database", ""},
	{"version https://git-lfs", "a Git LFS pointer", "fetch the file itself with git lfs pull"},
	{"-----BEGIN ", "PEM (certificates or keys)", "keys are given with --keys"},
	{"CLIENT_RANDOM ", "a TLS key log", "keys are given with --keys"},
	{"SERVER_HANDSHAKE_TRAFFIC_SECRET ", "a TLS key log", "keys are given with --keys"},
	{"CLIENT_HANDSHAKE_TRAFFIC_SECRET ", "a TLS key log", "keys are given with --keys"},
	{"SERVER_TRAFFIC_SECRET_0 ", "a TLS key log", "keys are given with --keys"},
	{"CLIENT_TRAFFIC_SECRET_0 ", "a TLS key log", "keys are given with --keys"},
	{"EXPORTER_SECRET ", "a TLS key log", "keys are given with --keys"},
	{"# SSL/TLS secrets log", "a TLS key log", "keys are given with --keys"},
	{"# TLS secrets log", "a TLS key log", "keys are given with --keys"},
	{"__CURSOR=", "a systemd journal export", ""},
	{"__REALTIME_TIMESTAMP=", "a systemd journal export", ""},
}

// looksLikeText is tried without regard to case and leading white space.
var looksLikeText = []look{
	{"<!doctype html", "HTML", "a download may have given an error page"},
	{"<html", "HTML", "a download may have given an error page"},
	{"<pdml", "PDML (XML of tshark -T pdml)", "give the capture itself"},
	{"<psml", "PSML (XML of tshark -T psml)", "give the capture itself"},
	{"<kmsresponse", "a KMS response", "keys are given with --keys"},
	{"<signedkmsresponse", "a signed KMS response", "keys are given with --keys"},
	{"<?xml", "XML", ""},
	{"sip/2.0 ", "a SIP message as text", "captures hold packets: text2pcap can wrap it"},
	{"invite sip", "a SIP message as text", "captures hold packets: text2pcap can wrap it"},
	{"register sip", "a SIP message as text", "captures hold packets: text2pcap can wrap it"},
	{"publish sip", "a SIP message as text", "captures hold packets: text2pcap can wrap it"},
	{"message sip", "a SIP message as text", "captures hold packets: text2pcap can wrap it"},
	{"http/1.", "an HTTP message as text", "captures hold packets: text2pcap can wrap it"},
	{"0000  ", "a hex dump", "make a capture of it with text2pcap"},
	{"000000 ", "a hex dump", "make a capture of it with text2pcap"},
	{"00000000", "a hex dump", "make a capture of it with text2pcap or xxd -r"},
}

// OwnJSON is what NotCaptureError.Looks says of mcxdump's own output, which can be read back.
const OwnJSON = "mcxdump JSON"

// Looks names what a file is by its beginning. The zero NotCaptureError is given for pcap, pcapng and what is
// not known. As many as 512 octets help.
func Looks(b []byte) NotCaptureError {
	if len(b) == 0 {
		return NotCaptureError{Empty: true}
	}
	for _, l := range looksLike {
		if bytes.HasPrefix(b, []byte(l.magic)) {
			return NotCaptureError{Looks: l.looks, Hint: l.hint}
		}
	}
	if d := damagedNG(b); d != nil {
		return *d
	}
	if len(b) >= 262 && string(b[257:262]) == "ustar" {
		return NotCaptureError{Looks: "a tar archive", Hint: "unpack it first"}
	}
	if erf(b) {
		return NotCaptureError{Looks: "Endace ERF", Hint: viaEditcap}
	}
	if len(bytes.Trim(b, "\x00")) == 0 {
		return NotCaptureError{Looks: "zeros only", Hint: "the disk may have been full, or the copy was not finished"}
	}
	return looksText(b)
}

func looksText(b []byte) NotCaptureError {
	if bytes.HasPrefix(b, []byte("\xff\xfe")) || bytes.HasPrefix(b, []byte("\xfe\xff")) {
		return NotCaptureError{Looks: "UTF-16 text"}
	}
	t := bytes.TrimLeft(bytes.TrimPrefix(b, []byte("\xef\xbb\xbf")), " \t\r\n")
	low := strings.ToLower(string(t[:min(len(t), 512)]))
	for _, l := range looksLikeText {
		if strings.HasPrefix(low, l.magic) {
			return NotCaptureError{Looks: l.looks, Hint: l.hint}
		}
	}
	switch {
	case strings.HasPrefix(low, "{") && strings.Contains(low, `"schema":"mcxdump/`):
		return NotCaptureError{Looks: OwnJSON, Hint: "mcxdump read takes it as a file of its own"}
	case strings.HasPrefix(low, "{\"") || strings.HasPrefix(low, "[{") || strings.HasPrefix(low, "{\n") || strings.HasPrefix(low, "[\n"):
		return NotCaptureError{Looks: "JSON", Hint: "give the capture itself"}
	}
	// Text: valid UTF-8 but for a cut last rune, no controls but white space and ESC.
	odd := 0
	for s := b; len(s) > 0; {
		c, n := utf8.DecodeRune(s)
		if c == utf8.RuneError && n == 1 && len(s) >= utf8.UTFMax || c < ' ' && c != '\t' && c != '\n' && c != '\r' && c != 27 {
			odd++
		}
		s = s[n:]
	}
	if len(b) >= 4 && odd == 0 {
		return NotCaptureError{Looks: "text"}
	}
	return NotCaptureError{}
}

// damagedNG recognises a section header whose line ends were changed: its type was chosen to show that.
func damagedNG(b []byte) *NotCaptureError {
	if len(b) < 8 {
		return nil
	}
	head := b[:min(len(b), 24)]
	if !bytes.Contains(head, []byte("\x4d\x3c\x2b\x1a")) && !bytes.Contains(head, []byte("\x1a\x2b\x3c\x4d")) {
		return nil
	}
	for _, m := range []string{"\n\r\n", "\n\n\n\n", "\n\n\n", "\n\n", "\r\n\r\r\r\n", "\r\n\r\n", "\r\n\r\r\n"} {
		if bytes.HasPrefix(b, []byte(m)) {
			return &NotCaptureError{Looks: "pcapng damaged by a transfer in text mode", Hint: "copy it again in binary mode"}
		}
	}
	return nil
}

// erf recognises the Extensible Record Format, which has no magic, by two records in a row: a type octet, a
// record length, and the same day in both little-endian timestamps.
func erf(b []byte) bool {
	rec := func(b []byte) (n int, sec uint32, ok bool) {
		if len(b) < 16 {
			return 0, 0, false
		}
		n = int(binary.BigEndian.Uint16(b[10:]))
		typ := b[8] & 0x7f
		sec = binary.LittleEndian.Uint32(b[4:])
		return n, sec, typ >= 1 && typ <= 48 && n >= 16 && sec > 631152000 // 1990
	}
	n, s1, ok := rec(b)
	if !ok || n > len(b) {
		return false
	}
	_, s2, ok := rec(b[n:])
	return ok && s2-s1+86400 <= 2*86400
}

// notCapture names what was read so far. It waits for 16 octets and no more: the input may
// be a terminal.
func (r *Reader) notCapture() error {
	if r.rerr == nil && r.end < 16 {
		r.more(16)
	}
	b := r.buf[:r.end]
	if r.end < 4 {
		// A cut magic is a cut capture.
		for _, m := range []uint32{blockSHB, magicMicro, magicNano, magicModified} {
			be, le := binary.BigEndian.AppendUint32(nil, m), binary.BigEndian.AppendUint32(nil, bits.ReverseBytes32(m))
			if bytes.HasPrefix(be, b) || bytes.HasPrefix(le, b) {
				return r.cut(0, "file header", "is a capture's, as far as it goes")
			}
		}
	}
	e := Looks(b)
	return &e
}
