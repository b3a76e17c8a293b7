package main

import (
	"go/constant"
	"go/token"
	"go/types"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// limitValues says where the code has the numbers of a row of docs/limits.md, in their order: package, then names.
var limitValues = map[string]string{
	"captured packet or block":               "internal/pcapng Block",
	"interfaces of one pcapng file":          "internal/pcapng Interfaces",
	"comments of one packet":                 "internal/pcapng Comments",
	"decompressed octets":                    "decode/capture ExpandFree ExpandRatio",
	"zstd window":                            "decode/capture Window",
	"all growing state of the packet stage":  "decode/flow Memory",
	"TCP directions":                         "decode/flow Streams",
	"octets waiting per TCP direction":       "decode/flow StreamBytes",
	"segments waiting per TCP direction":     "decode/flow StreamSegments",
	"time to wait for missing octets":        "decode/flow GapWait",
	"incomplete IP datagrams":                "decode/flow FragmentSets",
	"fragments of one datagram":              "decode/flow FragmentPieces",
	"octets of complete datagrams kept":      "decode/flow rawOctets",
	"time to complete a datagram":            "decode/flow FragmentTimeout",
	"SCTP directions, octets per direction":  "decode/flow Associations AssocBytes",
	"ESP security associations remembered":   "decode/flow SPIs",
	"keys tried on one ESP packet":           "decode/flow maxESPTries",
	"findings about single SPIs":             "decode/flow maxESPTold maxESPListed",
	"registrations whose SPIs":               "decode/flow maxAgreements maxAgreedSPIs",
	"sessions that left the tables":          "cmd/mcxdump maxStories",
	"groups of findings":                     "cmd/mcxdump maxGroups",
	"text of sessions":                       "cmd/mcxdump storeBudget",
	"security agreements kept of one user":   "decode/session maxIPsec",
	"chunks of one HEP packet":               "internal/hep MaxChunks",
	"inflated payload of one HEP packet":     "decode/flow HEPInflated",
	"names of HEP capture agents":            "decode/flow maxAgents",
	"`--to-hep`":                             "cmd/mcxdump hepQueue hepOctets",
	"HTTP header or trailer section":         "decode/flow maxHTTPHead maxHTTPLine maxH2Block",
	"fields of one HTTP message":             "decode/flow maxHTTPFields",
	"content of one HTTP message":            "decode/flow maxHTTPContent",
	"requests of a connection":               "decode/flow maxHTTPPending",
	"octets after CONNECT":                   "decode/flow maxHTTPHeld",
	"open exchanges of an HTTP/2 connection": "decode/flow maxH2Streams",
	"dynamic table of HPACK":                 "decode/flow maxHpackTable maxH2Told",
	"content codings of one message":         "decode maxCodings maxExpanded maxExpandRatio minExpanded",
	"numbers of HTTP requests":               "decode maxExchanges",
	"nesting of tunnels and tags":            "decode/flow Depth",
	"findings about TLS connections":         "decode/flow TLSServers",
	"one TLS handshake message":              "decode/flow TLSHandshake",
	"TLS records that wait":                  "decode/flow TLSQueue",
	"TLS sessions remembered":                "decode/flow TLSSessions",
	"TLS records in a row":                   "internal/tlsopen maxFails",
	"sequence numbers tried after a loss":    "internal/tlsopen ahead",
	"secrets of TLS key logs":                "keys maxTLSSecrets",
	"forward jump of packet time":            "decode/flow MaxStep",
	"SIP header section, body":               "sipparse Header Body",
	"header fields, diagnostics":             "sipparse Headers Diags",
	"message/sip inside message/sip":         "decode Depth",
	"nodes of one record":                    "decode/record DefaultNodes",
	"derived sources, findings":              "decode/record MaxSources MaxFindings",
	"one value in the tree":                  "decode ValueBytes",
	"XML depth, elements and attributes":     "decode XMLDepth XMLNodes XMLOctets",
	"header sections remembered":             "sipparse formSets formWays formLines formText partHeads headText",
	"shapes of messages remembered":          "output shapeSets shapeWays shapeMax shapeText shapeTries",
	"shapes of JSON":                         "output shapeWays shapeMax shapeText shapeTries",
	"XML templates of a worker":              "decode maxTemplates maxTemplateSize maxTemplateItems",
	"plans of a template":                    "decode maxPlanKeys maxPlanSays maxPlanItems firstMisfits",
	"patterns of I_MESSAGEs":                 "decode maxMikeyPlans",
	"MIKEY message, payloads, entries":       "mikeyparse Message Payloads Entries",
	"I_MESSAGEs of one message":              "decode maxPlanned",
	"URIs learned":                           "keys URIs",
	"outcomes of distinct I_MESSAGEs":        "keys Messages",
	"I_MESSAGEs that the first reading":      "keys maxRetryOctets",
	"user keys derived from master":          "keys RSKs",
	"precomputed tables of user keys":        "keys Tables",
	"ECCSI signers":                          "keys/eccsi DefaultCacheEntries",
	"user keys with tables":                  "keys aheadKeys",
	"keys opened side by side":               "keys maxAhead",
	"certificates and keys learned":          "keys Material",
	"octets of a file":                       "cmd/mcxdump sniffKMS sniffTLS",
	"parameters of a query":                  "decode maxParams",
	"URIs tried as P0":                       "keys Search",
	"signatures of one body":                 "decode maxSignatures",
	"key file, lines, entries":               "keys MaxFileSize",
}

// unvalued are the rows whose numbers stand elsewhere or in a form that no name has.
var unvalued = []string{"sessions, transactions", "`live --hep`", "MIME parts", "signatures, new keys", "members of a group", "batches between"}

// Every limit has a test that drives it over its edge, and the documented number is that of the code.
func TestLimitsPage(t *testing.T) {
	page, err := os.ReadFile("../../docs/limits.md")
	if err != nil {
		t.Fatal(err)
	}
	number := regexp.MustCompile(`(\d[\d,]*)(?: (MiB|GiB|KiB|s)\b)?`)
	units := map[string]int64{"": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "s": 1e9}
	rows, seen := 0, map[string]bool{}
	for line := range strings.Lines(string(page)) {
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| limit ") {
			continue
		}
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if len(cells) != 5 {
			t.Errorf("%d cells: %s", len(cells), line)
			continue
		}
		rows++
		name := strings.TrimSpace(cells[0])
		drivers := 0
		for group := range strings.SplitSeq(cells[4], ";") {
			pkg, tests, _ := strings.Cut(strings.TrimSpace(group), " ")
			for test := range strings.SplitSeq(tests, ",") {
				drivers++
				if !declares(t, pkg, "_test.go", `(?m)^func `+regexp.QuoteMeta(strings.TrimSpace(test))+`\(t `) {
					t.Errorf("%s: there is no %s in %s", name, test, pkg)
				}
			}
		}
		if drivers == 0 {
			t.Errorf("%s: no test drives it", name)
		}
		known := false
		for _, prefix := range unvalued {
			known = known || strings.HasPrefix(name, prefix)
		}
		for prefix, where := range limitValues {
			if !strings.HasPrefix(name, prefix) {
				continue
			}
			known, seen[prefix] = true, true
			names := strings.Fields(where)
			said := number.FindAllStringSubmatch(cells[1], -1)
			for i, n := range names[1:] {
				got := valueOf(t, names[0], n)
				if i >= len(said) {
					t.Errorf("%s: the page has no number for %s", name, n)
					continue
				}
				v, err := strconv.ParseInt(strings.ReplaceAll(said[i][1], ",", ""), 10, 64)
				if v *= units[said[i][2]]; err != nil || v != got {
					t.Errorf("%s: the page says %s, %s is %d", name, said[i][0], n, got)
				}
			}
		}
		if !known {
			t.Errorf("%s: nobody knows where its number is", name)
		}
	}
	if rows < 60 || len(seen) != len(limitValues) {
		t.Errorf("%d rows, %d of %d with values", rows, len(seen), len(limitValues))
	}
}

// sources reads the files of a package.
func sources(t *testing.T, pkg, suffix string) (all []string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("../..", pkg, "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatal(pkg, err)
	}
	for _, f := range files {
		if strings.HasSuffix(f, "_test.go") != (suffix == "_test.go") {
			continue
		}
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, string(b))
	}
	return all
}

func declares(t *testing.T, pkg, suffix, pattern string) bool {
	re := regexp.MustCompile(pattern)
	for _, s := range sources(t, pkg, suffix) {
		if re.MatchString(s) {
			return true
		}
	}
	return false
}

// valueOf is the number of a constant, or the default of a member of a limits structure, in a package's source.
func valueOf(t *testing.T, pkg, name string) int64 {
	t.Helper()
	q := regexp.QuoteMeta(name)
	for _, pattern := range []string{`(?m)^(?:\t|const |var )` + q + `\s+= ([^/\n]+)`, `&\w\.` + q + `, ([^)\n]+)\)`, `\b\w+\.` + q + ` = (\d[^/\n]*)`} {
		re := regexp.MustCompile(pattern)
		for _, s := range sources(t, pkg, "") {
			m := re.FindStringSubmatch(s)
			if m == nil {
				continue
			}
			v, err := types.Eval(token.NewFileSet(), nil, token.NoPos, strings.ReplaceAll(strings.TrimSpace(m[1]), "time.Second", "1000000000"))
			if err != nil {
				t.Fatalf("%s of %s: %v", name, pkg, err)
			}
			n, _ := constant.Int64Val(v.Value)
			return n
		}
	}
	t.Errorf("there is no %s in %s", name, pkg)
	return 0
}
