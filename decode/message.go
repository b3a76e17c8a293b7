package decode

// message is the state of one SIP message while it is decoded.
type message struct{}
