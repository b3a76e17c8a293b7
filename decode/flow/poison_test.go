package flow

// All tests of this package overwrite memory before it is used again, so that whoever still holds it is found out.
func init() { poisoned = true }
