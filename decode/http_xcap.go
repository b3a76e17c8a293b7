package decode

import (
	"net/url"
	"strings"

	"github.com/mcxdump/mcxdump/decode/record"
)

// Targets of XCAP requests (RFC 4825 6) to the configuration and group management servers (TS 24.484, TS 24.481), and of
// documents named in xcap-diff.

var (
	xcapSelf     = reg("xcap", "XCAP resource", "RFC 4825 6", record.Object)
	xcapAUID     = reg("xcap.auid", "Application usage", "RFC 4825 6.2", record.String)
	xcapTree     = reg("xcap.tree", "Tree: users or global", "RFC 4825 6.2", record.String)
	xcapUser     = regID("xcap.user", "XCAP user identifier", "RFC 4825 6.2")
	xcapDocument = regID("xcap.document", "Document", "RFC 4825 6.2")
	xcapSelector = regID("xcap.selector", "Node selector", "RFC 4825 6.3")
	xcapKind     = reg("xcap.kind", "Kind of document", "TS 24.484 4.2", record.String)
	xcapSure     = reg("xcap.unconfirmed", "The kind is told by analogy; no specification text was at hand", "mcxdump", record.Bool)
)

// An xcapTarget is a target taken apart.
type xcapTarget struct {
	auid, tree, user, document, selector, kind string
	unsure                                     bool
}

// parseXCAP takes the path of a target apart; it is false for what is no XCAP resource. The root of the server may be any
// path, so the application usage is the segment before "users" or "global".
func parseXCAP(target string) (x xcapTarget, ok bool) {
	if len(target) > 8192 {
		return x, false
	}
	path, _, _ := strings.Cut(target, "?")
	if i := strings.Index(path, "://"); i >= 0 && i < 8 {
		rest := path[i+3:]
		k := strings.IndexByte(rest, '/')
		if k < 0 {
			return x, false
		}
		path = rest[k:]
	}
	for _, sep := range []string{"/~~/", "/%7E%7E/", "/%7e%7e/"} {
		if doc, sel, cut := strings.Cut(path, sep); cut {
			path, x.selector = doc, unescapePath(sel)
			break
		}
	}
	seg := strings.Split(strings.Trim(path, "/"), "/")
	for i := 1; i < len(seg); i++ {
		if seg[i] != "users" && seg[i] != "global" || !isAUID(unescapePath(seg[i-1])) {
			continue
		}
		x.auid, x.tree = unescapePath(seg[i-1]), seg[i]
		rest := seg[i+1:]
		if x.tree == "users" && len(rest) > 0 {
			x.user, rest = unescapePath(rest[0]), rest[1:]
		}
		x.document = unescapePath(strings.Join(rest, "/"))
		x.kind, x.unsure = xcapKindOf(x.auid)
		return x, true
	}
	return x, false
}

func unescapePath(s string) string {
	if u, err := url.PathUnescape(s); err == nil {
		return u
	}
	return s
}

// isAUID tells an application usage from any other path segment: a vendor's has its reversed domain, the others are
// registered (RFC 4825 15.2).
func isAUID(s string) bool {
	switch s {
	case "xcap-caps", "resource-lists", "rls-services", "pres-rules", "pidf-manipulation", "oma_bookmarks", "simservs.ngn.etsi.org":
		return true
	}
	return strings.HasPrefix(s, "org.3gpp.") || strings.HasPrefix(s, "org.openmobilealliance.") || strings.Count(s, ".") >= 2
}

var xcapServices = map[string]string{"mcptt": "MCPTT", "mcvideo": "MCVideo", "mcdata": "MCData", "mcs": "MC service"}

// xcapKindOf names the document of an application usage in words. Those of MCPTT are confirmed by implementations, the
// others are told by analogy.
func xcapKindOf(auid string) (kind string, unsure bool) {
	switch auid {
	case "org.openmobilealliance.groups":
		return "group document", false
	case "org.openmobilealliance.group-usage-list":
		return "group usage list", false
	case "resource-lists":
		return "resource lists", false
	case "rls-services":
		return "resource list services", false
	case "pres-rules", "org.openmobilealliance.pres-rules":
		return "presence rules", false
	case "xcap-caps":
		return "server capabilities", false
	case "org.openmobilealliance.xcap-directory":
		return "directory of documents", false
	}
	rest, ok := strings.CutPrefix(auid, "org.3gpp.")
	if !ok {
		return "", false
	}
	service, what, _ := strings.Cut(rest, ".")
	name := xcapServices[service]
	words := map[string]string{"ue-init-config": "UE initial configuration", "ue-config": "UE configuration", "user-profile": "user profile", "service-config": "service configuration",
		"functional-alias": "functional alias", "group": "group document"}[what]
	if name == "" || words == "" {
		return "", false
	}
	return name + " " + words, service != "mcptt"
}

// xcap shows what a target says about the document, and gives the identities in it to the ring.
func (c *Context) xcap(target string, at record.Place) (xcapTarget, bool) {
	x, ok := parseXCAP(target)
	if !ok {
		return x, false
	}
	c.mcx = c.mcx || x.kind != ""
	put := func(f *record.Field, s string) {
		if s != "" {
			c.put(f, []byte(s), at)
		}
	}
	c.B.Open(xcapSelf, at)
	put(xcapAUID, x.auid)
	put(xcapTree, x.tree)
	put(xcapUser, x.user)
	put(xcapDocument, x.document)
	put(xcapSelector, x.selector)
	put(xcapKind, x.kind)
	if x.unsure {
		c.B.Bool(xcapSure, true, record.Place{})
	}
	c.B.Close()
	if c.ring != nil {
		for _, s := range append([]string{x.user}, strings.Split(x.document, "/")...) {
			if isURI(s) {
				c.ring.Learn(c.q.Seq, s)
			}
		}
	}
	words := x.kind
	if words == "" {
		words = "XCAP " + x.auid
	}
	who := x.user
	if who == "" && x.kind == "group document" {
		who = x.document[strings.LastIndexByte(x.document, '/')+1:]
	}
	if who != "" {
		words += " of " + shorten(who)
	}
	c.Say(words)
	return x, true
}

func isURI(s string) bool {
	return len(s) > 4 && len(s) <= 512 && (strings.HasPrefix(s, "sip:") || strings.HasPrefix(s, "sips:") || strings.HasPrefix(s, "tel:"))
}
