package output

import "github.com/mcxdump/mcxdump/decode/record"

type treeFormat struct{ o Options }

func newTree(o Options) (Format, error)                          { return &treeFormat{o}, nil }
func (t *treeFormat) Needs() record.Want                         { return record.All() }
func (t *treeFormat) Append(dst []byte, r *record.Record) []byte { return append(dst, '\n') }
