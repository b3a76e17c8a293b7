package eccsi_test

import (
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/mcxdump/mcxdump/keys/eccsi"
)

// A KMS makes a signing key for an identifier; the KPAK and the identifier are
// all that verification needs. A Cache keeps what signatures of one signer share.
func Example() {
	master, err := eccsi.GenerateMasterSecret(rand.Reader)
	if err != nil {
		panic(err)
	}
	pub, id := master.Public(), []byte("an identifier, 32 octets in MCX.")
	key, err := master.Extract(rand.Reader, id)
	if err != nil {
		panic(err)
	}
	fmt.Println(key.Validate(pub, id))

	message := []byte("all octets before the signature")
	signature, err := key.Sign(rand.Reader, pub, id, message)
	if err != nil {
		panic(err)
	}
	var cache eccsi.Cache
	fmt.Println(len(signature), cache.Verify(pub, id, message, signature))
	err = cache.Verify(pub, []byte("another"), message, signature)
	fmt.Println(errors.Is(err, eccsi.ErrMismatch))
	// Output:
	// <nil>
	// 129 <nil>
	// true
}
