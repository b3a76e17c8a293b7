// Package capture is where frames come from, capture files and standard input, one or many, compressed or not,
// merged in time order, and network interfaces; and where they are written to.
//
// Start with [Open] or [OpenLive], and [Source.Next]; to write, with [NewFileWriter].
//
// Promises:
//   - a file is read as a stream and never held whole; one file costs a read buffer of 256 KiB, and of several
//     files only those are open whose times overlap;
//   - a frame is delivered as soon as its octets are there, also from a pipe and, as far as the compressor
//     flushed, from a compressed pipe;
//   - a fault in one file ([FileError], with file name and octet) neither hides what stands before it nor stops
//     the other files: it is counted, given to Options.OnError at once and returned by Next at the very end;
//   - what is compressed (gzip with any number of members, zstd) is recognised by content and its expansion is
//     bounded ([Limits]);
//   - times of files never depend on the clock of the machine that reads;
//   - a frame of an interface comes once and whole, with its VLAN tag, or is counted as lost and told of ([Notice]);
//   - a file that is written ends with a whole block, whatever the disk does.
//
// The file formats are those of internal/pcapng. It leaves out the formats of other capture programs, which are
// named in the error with what helps, and compression inside compression.
package capture
