package decode

import "github.com/mcxdump/mcxdump/decode/flow"

// httpServices adds what is known of a message of the key, identity, configuration and group management servers, between
// the http object and the bodies.
func (w *worker) httpServices(u *flow.Unit) {}
