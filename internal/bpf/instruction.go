package bpf

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
)

// An Instruction of classic BPF, as in struct sock_filter (linux/filter.h).
type Instruction struct {
	Op     uint16
	Jt, Jf uint8
	K      uint32
}

// Parts of an operation (linux/bpf_common.h).
const (
	opLD, opLDX, opST, opSTX, opALU, opJMP, opRET, opMISC = 0, 1, 2, 3, 4, 5, 6, 7

	opW, opH, opB                            = 0x00, 0x08, 0x10
	opIMM, opABS, opIND, opMEM, opLEN, opMSH = 0x00, 0x20, 0x40, 0x60, 0x80, 0xa0

	opADD, opSUB, opMUL, opDIV, opOR, opAND, opLSH, opRSH, opNEG, opMOD, opXOR = 0x00, 0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70, 0x80, 0x90, 0xa0

	opJA, opJEQ, opJGT, opJGE, opJSET = 0x00, 0x10, 0x20, 0x30, 0x40

	opK, opX   = 0x00, 0x08
	opRetA     = 0x10
	opTAX      = 0x00
	opTXA      = 0x80
	scratch    = 16
	adOff      = 0xfffff000 // SKF_AD_OFF
	adProtocol = adOff + 0
	adPktType  = adOff + 4
	adIfIndex  = adOff + 8
	adVLAN     = adOff + 44
	adVLANHere = adOff + 48
)

// MaxInstructions is the longest program that the kernel takes (BPF_MAXINSNS).
const MaxInstructions = 4096

// String gives the four numbers of tcpdump -ddd.
func (i Instruction) String() string { return fmt.Sprintf("%d %d %d %d", i.Op, i.Jt, i.Jf, i.K) }

// Check tells whether the kernel would take a program, by the rules of bpf_check_classic.
func Check(prog []Instruction) error {
	if len(prog) == 0 || len(prog) > MaxInstructions {
		return fmt.Errorf("a program of %d instructions: there must be 1 to %d", len(prog), MaxInstructions)
	}
	for at, i := range prog {
		bad := func(why string) error { return fmt.Errorf("instruction %d (%v): %s", at, i, why) }
		rest := uint64(len(prog) - at - 1)
		switch i.Op & 7 {
		case opLD:
			switch i.Op {
			case opLD | opIMM, opLD | opW | opLEN:
			case opLD | opMEM:
				if i.K >= scratch {
					return bad("no such scratch cell")
				}
			case opLD | opW | opABS, opLD | opH | opABS, opLD | opB | opABS, opLD | opW | opIND, opLD | opH | opIND, opLD | opB | opIND:
			default:
				return bad("unknown load")
			}
		case opLDX:
			switch i.Op {
			case opLDX | opIMM, opLDX | opW | opLEN, opLDX | opB | opMSH:
			case opLDX | opMEM:
				if i.K >= scratch {
					return bad("no such scratch cell")
				}
			default:
				return bad("unknown load")
			}
		case opST, opSTX:
			if i.Op > 7 || i.K >= scratch {
				return bad("no such scratch cell")
			}
		case opALU:
			op, x := i.Op&0xf0, i.Op&opX != 0
			if op > opXOR || i.Op > 0xff || op == opNEG && x {
				return bad("unknown operation")
			}
			if (op == opDIV || op == opMOD) && !x && i.K == 0 {
				return bad("division by zero")
			}
			if (op == opLSH || op == opRSH) && !x && i.K > 31 {
				return bad("shift by more than 31")
			}
		case opJMP:
			op := i.Op & 0xf0
			switch {
			case op > opJSET || i.Op > 0xff || op == opJA && i.Op&opX != 0:
				return bad("unknown jump")
			case op == opJA && uint64(i.K) >= rest, op != opJA && (uint64(i.Jt) >= rest || uint64(i.Jf) >= rest):
				return bad("jump out of the program")
			}
		case opRET:
			if i.Op != opRET|opK && i.Op != opRET|opRetA {
				return bad("unknown return")
			}
		case opMISC:
			if i.Op != opMISC|opTAX && i.Op != opMISC|opTXA {
				return bad("unknown operation")
			}
		}
	}
	if prog[len(prog)-1].Op&7 != opRET {
		return fmt.Errorf("the program does not end with a return")
	}
	return nil
}

// ParseDDD reads what tcpdump -ddd prints, with lines or, as iptables takes it, commas between instructions. ok tells
// whether the text is meant to be that at all.
func ParseDDD(text string) (prog []Instruction, ok bool, err error) {
	rows := strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == ',' || r == '\r' })
	if len(rows) < 2 {
		return nil, false, nil
	}
	n, err := strconv.ParseUint(strings.TrimSpace(rows[0]), 10, 16)
	if err != nil {
		return nil, false, nil
	}
	if int(n) != len(rows)-1 {
		return nil, true, fmt.Errorf("%d instructions are announced, %d follow", n, len(rows)-1)
	}
	for at, row := range rows[1:] {
		f := strings.Fields(row)
		var v [4]uint64
		for k := range v {
			if len(f) != 4 {
				return nil, true, fmt.Errorf("instruction %d: four numbers are expected, not %q", at, row)
			}
			if v[k], err = strconv.ParseUint(f[k], 10, []int{16, 8, 8, 32}[k]); err != nil {
				return nil, true, fmt.Errorf("instruction %d: %q is not a number that fits", at, f[k])
			}
		}
		prog = append(prog, Instruction{uint16(v[0]), uint8(v[1]), uint8(v[2]), uint32(v[3])})
	}
	return prog, true, Check(prog)
}

// Run gives the verdict of a program that Check accepts: how many octets of the packet to keep, 0 to reject it. size is
// its length on the wire. What a program asks the kernel for (SKF_AD_OFF) reads as ext says, or rejects the packet.
func Run(prog []Instruction, pkt []byte, size uint32, ext func(k uint32) (uint32, bool)) uint32 {
	var a, x uint32
	var m [scratch]uint32
	load := func(op uint16, at uint64) (uint32, bool) {
		n := uint64(map[uint16]int{opW: 4, opH: 2, opB: 1}[op&0x18])
		if at+n > uint64(len(pkt)) {
			return 0, false
		}
		switch p := pkt[at:]; n {
		case 4:
			return binary.BigEndian.Uint32(p), true
		case 2:
			return uint32(binary.BigEndian.Uint16(p)), true
		default:
			return uint32(p[0]), true
		}
	}
	for pc := 0; pc < len(prog); pc++ {
		i := prog[pc]
		ok := true
		switch i.Op & 7 {
		case opLD:
			switch i.Op & 0xe0 {
			case opIMM:
				a = i.K
			case opLEN:
				a = size
			case opMEM:
				a = m[i.K&15]
			case opABS:
				if i.K >= adOff {
					if ok = ext != nil; ok {
						a, ok = ext(i.K)
					}
				} else {
					a, ok = load(i.Op, uint64(i.K))
				}
			case opIND:
				// The kernel adds modulo 2^32 and so do tcpdump and x/net.
				a, ok = load(i.Op, uint64(x+i.K))
			}
		case opLDX:
			switch i.Op & 0xe0 {
			case opIMM:
				x = i.K
			case opLEN:
				x = size
			case opMEM:
				x = m[i.K&15]
			case opMSH:
				x, ok = load(opB, uint64(i.K))
				x = x & 15 * 4
			}
		case opST:
			m[i.K&15] = a
		case opSTX:
			m[i.K&15] = x
		case opALU:
			v := i.K
			if i.Op&opX != 0 {
				v = x
			}
			a, ok = alu(i.Op&0xf0, a, v)
		case opJMP:
			if i.Op&0xf0 == opJA {
				pc += int(i.K)
				continue
			}
			v := i.K
			if i.Op&opX != 0 {
				v = x
			}
			if jump(i.Op&0xf0, a, v) {
				pc += int(i.Jt)
			} else {
				pc += int(i.Jf)
			}
		case opRET:
			if i.Op&opRetA != 0 {
				return a
			}
			return i.K
		case opMISC:
			if i.Op&0xf8 == opTXA {
				a = x
			} else {
				x = a
			}
		}
		if !ok {
			return 0
		}
	}
	return 0
}

func alu(op uint16, a, v uint32) (uint32, bool) {
	switch op {
	case opADD:
		return a + v, true
	case opSUB:
		return a - v, true
	case opMUL:
		return a * v, true
	case opDIV:
		if v == 0 {
			return 0, false
		}
		return a / v, true
	case opMOD:
		if v == 0 {
			return 0, false
		}
		return a % v, true
	case opOR:
		return a | v, true
	case opAND:
		return a & v, true
	case opXOR:
		return a ^ v, true
	case opLSH:
		return a << (v & 31), true
	case opRSH:
		return a >> (v & 31), true
	}
	return -a, true // opNEG
}

func jump(op uint16, a, v uint32) bool {
	switch op {
	case opJEQ:
		return a == v
	case opJGT:
		return a > v
	case opJGE:
		return a >= v
	}
	return a&v != 0 // opJSET
}
