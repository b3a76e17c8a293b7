package output

import "github.com/mcxdump/mcxdump/decode/record"

func newFields(o Options) (Format, error) { return newTree(o) }

var _ = record.All
