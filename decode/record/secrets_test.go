package record

import (
	"slices"
	"strings"
	"testing"
)

func TestPlainSecrets(t *testing.T) {
	for in, want := range map[string][]string{
		`<a></b><UserDecryptKey x="y">0123</UserDecryptKey><n:UserSigningKeySSK>45</n:UserSigningKeySSK>`: {"0123", "45"},
		`<UserSigningKeySSK>456`:                 {"456"},
		`<UserDecryptKey><EncryptedKey>a</b></x`: {"<EncryptedKey>a</b></x"},
		`<UserDecryptKey/><pwd>x</pwd>`:          {"x"},
		`<UserDecryptKey a="b`:                   {` a="b`},
		`<mcptt-access-token type="Normal"><mcpttString>eyJ</mcpttString></mcptt-access-token>`:         {"eyJ"},
		`<mcptt-access-token type="Normal"><mcpttString>eyJ.abc.def</mcpttString></mcptt-access-token>`: {"def"},
		`<mcptt-access-token><EncryptedData><CipherValue>A</CipherValue></mcptt-access-token><pwd>x`:    {"x"},
		`{"refresh_token": "a\"b","x":1,"id_token":"c`:                                                  {`a\"b`, "c"},
		`{"code":"x"}`: {"x"},
		`code=200&access_token=abc&x=y password='a b'`: {"abc", "a b"},
		`{"expires_in":3,"access_token":null}`:         nil,
		`a password is: x; code: 5; UserDecryptKey 5`:  nil,
		`{"access_token`: nil, `"access_token":`: nil, `"access_token":"`: nil, `access_token=`: nil, ``: nil, `<UserDecryptKey`: nil,
	} {
		var got []string
		for _, r := range PlainSecrets([]byte(in)) {
			got = append(got, in[r.Off:r.Off+r.Len])
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", in, got, want)
		}
	}
}

// What is found lies inside, in order, and cutting the octets uncovers nothing.
func FuzzPlainSecrets(f *testing.F) {
	f.Add([]byte(`<n:UserDecryptKey x="y">0123</n:UserDecryptKey>{"access_token":"a\"b"}&refresh_token=x`))
	f.Add([]byte(strings.Repeat("<UserDecryptKey", 100)))
	f.Add([]byte("\"password\":\"\\"))
	f.Fuzz(func(t *testing.T, b []byte) {
		end := uint32(0)
		for _, r := range PlainSecrets(b) {
			if r.Off < end || r.Len == 0 || int(r.Off+r.Len) > len(b) {
				t.Fatalf("%+v of %d octets, after %d", r, len(b), end)
			}
			end = r.Off + r.Len
			if cut := PlainSecrets(b[:end]); len(cut) == 0 || cut[len(cut)-1].Off > r.Off {
				t.Fatalf("%+v is not found at the end of %q: %+v", r, b[:end], cut)
			}
		}
	})
}
