package output

import "github.com/mcxdump/mcxdump/decode/record"

type Redactor struct{}

func (d *Redactor) Record(r *record.Record) *record.Record { return r }

// redacted formats a copy of the record in which identities are pseudonyms.
type redacted struct {
	Format
	by *Redactor
}
