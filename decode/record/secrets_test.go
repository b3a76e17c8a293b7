package record

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

func TestPlainSecrets(t *testing.T) {
	for in, want := range map[string][]string{
		`<a></b><UserDecryptKey x="y">0123</UserDecryptKey><n:UserSigningKeySSK>45</n:UserSigningKeySSK>`: {"0123", "45"},
		`<UserSigningKeySSK>456`:                 {"456"},
		`<UserDecryptKey><EncryptedKey>a</b></x`: {"<EncryptedKey>a</b></x"},
		`ryptKey x="y">0123</UserDecryptKey><a/></pwd>45</n:UserSigningKeySSK><b>6</pwd>`: {"0123", "45", "6"},
		`789</UserDecryptKey>`: {"789"}, `</UserDecryptKey></pwd>`: nil,
		`<UserDecryptKey/><pwd>x</pwd>`: {"x"},
		`<UserDecryptKey a="b`:          {` a="b`},
		`<mcptt-access-token type="Normal"><mcpttString>eyJ</mcpttString></mcptt-access-token>`:         {"eyJ"},
		`<mcptt-access-token type="Normal"><mcpttString>eyJ.abc.def</mcpttString></mcptt-access-token>`: {"def"},
		`<mcptt-access-token><EncryptedData><CipherValue>A</CipherValue></mcptt-access-token><pwd>x`:    {"x"},
		"<mcptt-access-token>\n  <mcpttString>eyJ </mcpttString>":                                       {"eyJ"},
		`<access-token><![CDATA[abc]]></access-token><pwd>x</pwd>`:                                      {"<![CDATA[abc]]>", "x"},
		`<access-token><!--`: {"<!--"},
		"<access-token>\n <EncryptedData>\n <CipherData><CipherValue>A<pwd>x":                                             {"x"},
		`<access-token type="e"><EncryptedData Type="http://www.w3.org/">Vx Algorithm="http://www.w3.org/"/><CipherValue`: {`Vx Algorithm="http://www.w3.org/"/>`},
		`<access-token><EncryptedData a="b`: nil, `<access-token><mcpttString/>`: nil, `<access-token`: nil, `<access-token `: nil, `<access-token/>a`: nil, `<access-token></access-token>`: nil,
		`<access-token x<pwd <pwd/><pwd y</pwd>`:       {"x", " <pwd/><pwd y"},
		`{"refresh_token": "a\"b","x":1,"id_token":"c`: {`a\"b`, "c"},
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

// What is found lies inside and in order, and is found again, at least, when other octets stand there.
func FuzzPlainSecrets(f *testing.F) {
	f.Add([]byte(`<n:UserDecryptKey x="y">0123</n:UserDecryptKey>{"access_token":"a\"b"}&refresh_token=x`))
	f.Add([]byte(strings.Repeat("<UserDecryptKey", 100)))
	f.Add([]byte("\"password\":\"\\"))
	f.Add([]byte("a</pwd>b</pwd><pwd>c</pwd><mcptt-access-token><a>eyJ.b.c</a>"))
	f.Add([]byte(`<access-token type="e"><EncryptedData Type="http://www.w3.org/">Vx Algorithm="http://www.w3.org/"/><CipherValue`))
	f.Add([]byte("<access-token>\n<a>\neyJ.b.c</a><access-token><![CDATA[a]]></b>"))
	f.Fuzz(func(t *testing.T, b []byte) {
		found := PlainSecrets(b)
		end := uint32(0)
		other := bytes.Clone(b)
		for _, r := range found {
			if r.Off < end || r.Len == 0 || int(r.Off+r.Len) > len(b) {
				t.Fatalf("%+v of %d octets, after %d", r, len(b), end)
			}
			end = r.Off + r.Len
			for i := r.Off; i < end; i++ {
				other[i] = '~'
			}
		}
		// What was masked may have held the quote or the < at which a secret ended: then more is found.
		again := PlainSecrets(other)
		for _, r := range again {
			for i := r.Off; i < r.Off+r.Len; i++ {
				other[i] = ' '
			}
		}
		if bytes.IndexByte(other, '~') >= 0 && bytes.IndexByte(b, '~') < 0 {
			t.Fatalf("%q: %+v, then %+v", b, found, again)
		}
	})
}
