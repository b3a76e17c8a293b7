package keys

import (
	"bytes"
	"crypto/rsa"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"
)

// Limits of [TLSKeys].
const (
	maxTLSSecrets = 1 << 18 // secrets from key logs, blocks of captures and files that grow
	maxTLSRead    = 1 << 20 // octets read at once of a file that grows
	tlsPoll       = 5 * time.Millisecond
)

// TLSKeys finds the secrets of TLS connections: lines of key logs, private keys, and what is added while a capture is
// read. What the user gave wins over what a capture brings. It is safe for concurrent use.
type TLSKeys struct {
	mu      sync.Mutex
	m       map[tlsID]Secret
	pms     map[[8]byte]Secret // lines with the label RSA
	rsa     []*rsa.PrivateKey
	order   []TLSSecret // of both, as they came
	growing []*grownLog
	looked  time.Time
	full    bool
}

type tlsID struct {
	label  string
	random [32]byte
}

// grownLog is a key log that is read as far as it goes.
type grownLog struct {
	f    *os.File
	off  int64
	rest []byte // a line without its end
}

// NewTLSKeys takes the secrets and private keys of m, which may be nil.
func NewTLSKeys(m *Material) *TLSKeys {
	k := &TLSKeys{m: map[tlsID]Secret{}, pms: map[[8]byte]Secret{}}
	if m != nil {
		k.add(m.TLS)
	}
	return k
}

func (k *TLSKeys) add(list []TLSSecret) {
	for _, t := range list {
		if t.IsPrivateKey() {
			if p, err := t.PrivateKey(); err == nil {
				if r, ok := p.(*rsa.PrivateKey); ok {
					k.rsa = append(k.rsa, r)
				}
			}
			continue
		}
		if len(k.m)+len(k.pms) >= maxTLSSecrets {
			k.full = true
			return
		}
		if t.Label == "RSA" {
			if id := [8]byte(t.ClientRandom[:8]); k.pms[id].Len() == 0 {
				k.pms[id] = t.Secret
				k.order = append(k.order, t)
			}
			continue
		}
		if id := (tlsID{t.Label, t.ClientRandom}); k.m[id].Len() == 0 {
			k.m[id] = t.Secret
			k.order = append(k.order, t)
		}
	}
}

// AppendLog writes the secrets as a TLS key log, but the first since of them, and tells how many there are: for a file whose
// reader is to open the connections too, and for nothing else. Private keys are left out.
func (k *TLSKeys) AppendLog(dst []byte, since int) (log []byte, n int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.refresh()
	for _, t := range k.order[min(since, len(k.order)):] {
		dst = fmt.Appendf(dst, "%s %s %x\n", t.Label, t.id(), t.Secret.Reveal())
	}
	return dst, len(k.order)
}

// Add reads a TLS key log, such as a decryption secrets block of a capture. Lines that are none are left out; n is how
// many secrets there were.
func (k *TLSKeys) Add(doc []byte) (n int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.addLines(doc)
}

func (k *TLSKeys) addLines(doc []byte) (n int) {
	for line := range bytes.Lines(doc) {
		w := strings.Fields(string(line))
		if len(w) == 0 || !tlsLabel(w[0]) {
			continue
		}
		if t, err := tlsLine(w); err == nil && t.Secret.Len() > 0 {
			k.add([]TLSSecret{t})
			n++
		}
	}
	return n
}

// Any reports whether there is any secret or key, or may be one later.
func (k *TLSKeys) Any() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.m)+len(k.pms)+len(k.rsa)+len(k.growing) > 0
}

// Follow reads a key log again whenever a secret is missing, since programs write it while they run. It stays open: a
// file that takes its name later is not seen.
func (k *TLSKeys) Follow(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		f.Close()
		return fmt.Errorf("%s: not a regular file", path)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.growing = append(k.growing, &grownLog{f: f})
	return nil
}

// Close closes the files that are followed and forgets the secrets.
func (k *TLSKeys) Close() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, g := range k.growing {
		g.f.Close()
	}
	k.growing, k.order, k.m, k.pms, k.rsa = nil, nil, map[tlsID]Secret{}, map[[8]byte]Secret{}, nil
}

// Growing reports whether a file is followed.
func (k *TLSKeys) Growing() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.growing) > 0
}

// Secret finds one by its label and the random of the ClientHello; nil when there is none.
func (k *TLSKeys) Secret(label string, random [32]byte) []byte {
	k.mu.Lock()
	defer k.mu.Unlock()
	s, ok := k.m[tlsID{label, random}]
	if !ok && k.refresh() {
		s = k.m[tlsID{label, random}]
	}
	return s.Reveal()
}

// refresh reads what files have grown by, at most every tlsPoll.
func (k *TLSKeys) refresh() (more bool) {
	if len(k.growing) == 0 || time.Since(k.looked) < tlsPoll {
		return false
	}
	for _, g := range k.growing {
		info, err := g.f.Stat()
		if err != nil || info.Size() == g.off {
			continue
		}
		if info.Size() < g.off { // written anew
			g.off, g.rest = 0, nil
		}
		for {
			b, err := io.ReadAll(io.NewSectionReader(g.f, g.off, maxTLSRead))
			g.off += int64(len(b))
			b = append(g.rest, b...)
			end := bytes.LastIndexByte(b, '\n') + 1
			more = k.addLines(b[:end]) > 0 || more
			g.rest = nil
			if left := b[end:]; len(left) <= maxTLSLine {
				g.rest = bytes.Clone(left)
			}
			clear(b)
			if err != nil || len(b)-len(g.rest) == 0 || g.off >= info.Size() {
				break
			}
		}
	}
	k.looked = time.Now()
	return more
}

// maxTLSLine is longer than any line that is of use.
const maxTLSLine = 4 << 10

// Premaster opens the premaster secret of an RSA key exchange (RFC 5246 7.4.7.1): by a line of the key log, or with a
// private key; nil when there is none that fits.
func (k *TLSKeys) Premaster(encrypted []byte) []byte {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(encrypted) < 8 {
		return nil
	}
	if s, ok := k.pms[[8]byte(encrypted[:8])]; ok {
		return s.Reveal()
	}
	for _, key := range k.rsa {
		if key.Size() != len(encrypted) {
			continue
		}
		//lint:ignore SA1019 the key exchange of TLS is PKCS #1 v1.5, and nobody hears whether it worked
		pre, err := rsa.DecryptPKCS1v15(nil, key, encrypted)
		if err == nil && len(pre) == 48 && pre[0] == 3 {
			return pre
		}
	}
	return nil
}

// tlsLine reads the words of one line of a TLS key log: label, client random, secret. A line that is of no use, such as an
// exporter secret, gives an empty secret.
func tlsLine(w []string) (t TLSSecret, err error) {
	if len(w) != 3 {
		return t, fmt.Errorf("%d words after it", len(w)-1)
	}
	t.Label = w[0]
	random, err := parseHex("client random", w[1])
	if err != nil {
		return t, err
	}
	secret, err := parseHex("secret", w[2])
	if err != nil {
		return t, err
	}
	defer clear(secret)
	want := 32
	if t.Label == "RSA" {
		want = 8
	}
	switch {
	case strings.HasPrefix(t.Label, "ECH_"), strings.Contains(t.Label, "EXPORTER"):
		return t, nil
	case len(random) != want && want == 8:
		return t, fmt.Errorf("the beginning of the encrypted premaster secret has %d octets instead of 8", len(random))
	case len(random) != want:
		return t, fmt.Errorf("the client random has %d octets instead of 32", len(random))
	case t.Label == "CLIENT_RANDOM" || t.Label == "RSA":
		if len(secret) != 48 {
			return t, fmt.Errorf("the secret has %d octets instead of 48", len(secret))
		}
	case t.Label == "PMS_CLIENT_RANDOM":
		if len(secret) == 0 || len(secret) > 1024 {
			return t, errors.New("the premaster secret is empty or too long")
		}
	case len(secret) < 16 || len(secret) > 64:
		return t, fmt.Errorf("the secret has %d octets", len(secret))
	}
	copy(t.ClientRandom[:], random)
	t.Secret = NewSecret(secret)
	return t, nil
}

// id is the second word of its line.
func (t *TLSSecret) id() string {
	if t.Label == "RSA" {
		return hex.EncodeToString(t.ClientRandom[:8])
	}
	return hex.EncodeToString(t.ClientRandom[:])
}
