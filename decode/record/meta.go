package record

import "net/netip"

// The fields that live in the Record itself. Their names are the JSON contract's.
var (
	FieldSchema    = meta("schema", "Schema", String, false, func(r *Record, y func(Value) bool) { y(StringValue(Schema)) })
	FieldRecord    = meta("record", "Record type", String, false, func(r *Record, y func(Value) bool) { y(StringValue(r.Type.String())) })
	FieldNumber    = meta("number", "Message number", Uint, false, func(r *Record, y func(Value) bool) { y(Value{Kind: Uint, Num: int64(r.Number), Valid: r.Number != 0}) })
	FieldTime      = meta("time", "Time of the frame that completed the message", Time, false, func(r *Record, y func(Value) bool) { y(Value{Kind: Time, Num: r.Time, Valid: r.Type != SummaryType}) })
	FieldFrames    = meta("frames", "Frame numbers, 1-based within the file", Uint, true, eachFrame)
	FieldFile      = meta("file", "Capture file", String, false, func(r *Record, y func(Value) bool) { y(StringValue(r.File)) })
	FieldInterface = meta("interface", "Interface", String, false, func(r *Record, y func(Value) bool) { y(StringValue(r.Interface)) })
	FieldTransport = meta("transport", "Transport of the SIP message", String, false, func(r *Record, y func(Value) bool) { y(StringValue(r.Transport)) })
	FieldEncap     = meta("encapsulation", "Layers and tunnels around it, outermost first", String, true, func(r *Record, y func(Value) bool) {
		for _, e := range r.Encap {
			if !y(StringValue(e)) {
				return
			}
		}
	})
	FieldQuoted = meta("quoted", "Quoted in an ICMP error", Bool, false, func(r *Record, y func(Value) bool) {
		if r.Quoted {
			y(Value{Kind: Bool, Num: 1, Valid: true})
		}
	})
	FieldSrc     = meta("src", "Source", Object, false, nil)
	FieldSrcIP   = endpoint("src.ip", "Source address", true, func(r *Record) netip.AddrPort { return r.Src })
	FieldSrcPort = endpoint("src.port", "Source port", false, func(r *Record) netip.AddrPort { return r.Src })
	FieldDst     = meta("dst", "Destination", Object, false, nil)
	FieldDstIP   = endpoint("dst.ip", "Destination address", true, func(r *Record) netip.AddrPort { return r.Dst })
	FieldDstPort = endpoint("dst.port", "Destination port", false, func(r *Record) netip.AddrPort { return r.Dst })
	FieldInfo    = meta("info", "What the message is about, in words", String, false, func(r *Record, y func(Value) bool) { y(StringValue(r.Info)) })

	FieldFindings        = meta("findings", "Findings", Object, true, nil)
	FieldFindingID       = finding("findings.id", "Check or defect id", String, func(f *Finding) Value { return StringValue(f.ID) })
	FieldFindingSeverity = finding("findings.severity", "error, warning or note", String, func(f *Finding) Value { return StringValue(f.Severity.String()) })
	FieldFindingClause   = finding("findings.clause", "Clause that it breaks", String, func(f *Finding) Value { return StringValue(f.Clause) })
	FieldFindingMessage  = finding("findings.message", "The finding in one sentence", String, func(f *Finding) Value { return StringValue(f.Message) })
	FieldFindingBody     = finding("findings.body", "Path of the body", String, func(f *Finding) Value { return StringValue(f.Body) })
	FieldFindingField    = finding("findings.field", "Field", String, func(f *Finding) Value { return StringValue(f.Field) })
	FieldFindingFrames   = Register(Field{Name: "findings.frames", Title: "Frames that the finding is about", Clause: "mcxdump", Kind: Uint, List: true, Get: func(r *Record, y func(Value) bool) {
		for i := range r.Findings {
			for _, f := range r.Findings[i].Frames {
				if !y(Value{Kind: Uint, Num: int64(f), Valid: true}) {
					return
				}
			}
		}
	}})
	FieldFindingSource = finding("findings.source", "Source that offset and length point into", Uint, func(f *Finding) Value { return Value{Kind: Uint, Num: int64(f.Source), Valid: f.HasRange} })
	FieldFindingOffset = finding("findings.offset", "First octet", Uint, func(f *Finding) Value { return Value{Kind: Uint, Num: int64(f.Off), Valid: f.HasRange} })
	FieldFindingLength = finding("findings.length", "Number of octets", Uint, func(f *Finding) Value { return Value{Kind: Uint, Num: int64(f.Len), Valid: f.HasRange} })
)

func meta(name, title string, k Kind, list bool, get func(*Record, func(Value) bool)) *Field {
	if get == nil {
		get = func(*Record, func(Value) bool) {}
	}
	return Register(Field{Name: name, Title: title, Clause: "mcxdump", Kind: k, List: list, Get: get})
}

func endpoint(name, title string, ip bool, of func(*Record) netip.AddrPort) *Field {
	if ip {
		return meta(name, title, Addr, false, func(r *Record, y func(Value) bool) {
			if a := of(r).Addr(); a.IsValid() {
				y(Value{Kind: Addr, Str: a.String(), Valid: true})
			}
		})
	}
	return meta(name, title, Uint, false, func(r *Record, y func(Value) bool) {
		if a := of(r); a.Addr().IsValid() {
			y(Value{Kind: Uint, Num: int64(a.Port()), Valid: true})
		}
	})
}

func finding(name, title string, k Kind, of func(*Finding) Value) *Field {
	return Register(Field{Name: name, Title: title, Clause: "mcxdump", Kind: k, Get: func(r *Record, y func(Value) bool) {
		for i := range r.Findings {
			if v := of(&r.Findings[i]); v.Valid && !y(v) {
				return
			}
		}
	}})
}

func eachFrame(r *Record, y func(Value) bool) {
	for _, f := range r.Frames {
		if !y(Value{Kind: Uint, Num: int64(f), Valid: true}) {
			return
		}
	}
}
