package keys

func (l *loader) json(name string, b []byte) { l.fail(name, 0, "", kindsExpected, ErrKind) }
