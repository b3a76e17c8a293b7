package sakke_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/mcxdump/mcxdump/keys/sakke"
)

// A KMS makes a key for an identifier, a sender encapsulates a secret to it, and
// the key opens it. Another identifier is told apart from a damaged message.
func Example() {
	master, err := sakke.GenerateMasterSecret(rand.Reader)
	if err != nil {
		panic(err)
	}
	pub, id := master.Public(), []byte("an identifier, 32 octets in MCX.")
	key, err := master.Extract(id)
	if err != nil {
		panic(err)
	}

	ssv, sed, err := pub.Encapsulate(rand.Reader, id)
	if err != nil {
		panic(err)
	}
	got, variant, err := key.Decapsulate(pub, id, sed)
	fmt.Println(bytes.Equal(got, ssv), variant, err)

	_, _, err = key.Decapsulate(pub, []byte("another"), sed)
	fmt.Println(errors.Is(err, sakke.ErrKey))

	sed[sakke.SEDSize-1] ^= 1
	_, _, err = key.Decapsulate(pub, id, sed)
	fmt.Println(errors.Is(err, sakke.ErrTest))
	fmt.Printf("%x\n", key)
	// Output:
	// true standard <nil>
	// true
	// true
	// [withheld]
}
