package capture

import (
	"io"
	"os"

	"github.com/mcxdump/mcxdump/internal/pcapng"
)

// Sniff tells what an input is by its first octets: "" for a capture, compressed or not, and for what is not known;
// else what it looks like, such as OwnJSON. The reader it returns gives everything from the first octet on. It
// waits for one Read only, so that an input which grows slowly may be told apart by few octets.
func Sniff(r io.Reader) (looks string, again io.Reader) {
	head := make([]byte, 512)
	n, err := r.Read(head)
	head = head[:max(n, 0)]
	again = &prefixed{head: head, r: r}
	if err != nil {
		again = &prefixed{head: head, r: failing{err}}
	}
	if compression(head) != "" {
		return "", again
	}
	return pcapng.Looks(head).Looks, again
}

// SniffFile is Sniff for a path. What cannot be opened is left for Open to complain about.
func SniffFile(path string) string {
	if st, err := os.Stat(path); err != nil || !st.Mode().IsRegular() {
		return ""
	}
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	looks, _ := Sniff(f)
	return looks
}

// OwnJSON is what Sniff says of mcxdump's own output, which the output package reads back.
const OwnJSON = pcapng.OwnJSON

// failing gives an error that was met while octets came.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }
