// Package testkit is what the tests of several packages need alike: shared test data, the look for
// secrets in printed keys, the reference tool for XML security. Only tests import it.
package testkit
