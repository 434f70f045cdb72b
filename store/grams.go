package store

// grams is a set of the two and three byte sequences that occur in the commands of a segment. It may hold sequences
// that do not occur, never the reverse, so a segment without a word's sequences need not be read. A segment of 1024
// ordinary commands has some 6,000 different ones, which set a tenth of the bits.
type grams []byte

const gramBits = 16 // 8 KiB

func newGrams() grams { return make(grams, 1<<gramBits/8) }

// spread maps a sequence, as a number, to the place of its bit.
func spread(sequence uint32) uint32 { return sequence * 0x9E3779B1 >> (32 - gramBits) }

const threeBytes = 1 << 24 // tells sequences of three bytes from those of two

func (g grams) add(folded []byte) {
	var last uint32
	for i, c := range folded {
		last = last<<8 | uint32(c)
		if i >= 1 {
			g.set(spread(last & 0xFFFF))
		}
		if i >= 2 {
			g.set(spread(last&0xFFFFFF | threeBytes))
		}
	}
}

func (g grams) set(bit uint32) { g[bit>>3] |= 1 << (bit & 7) }

// gramsOf returns the places of the bits that must be set where all words occur.
func gramsOf(words [][]byte) []uint32 {
	var bits []uint32
	for _, w := range words {
		if len(w) == 2 {
			bits = append(bits, spread(uint32(w[0])<<8|uint32(w[1])))
		}
		for i := 2; i < len(w); i++ {
			bits = append(bits, spread(uint32(w[i-2])<<16|uint32(w[i-1])<<8|uint32(w[i])|threeBytes))
		}
	}
	return bits
}

// mayHold reports false when one of the bits is not set.
func (g grams) mayHold(bits []uint32) bool {
	for _, b := range bits {
		if int(b>>3) >= len(g) || g[b>>3]&(1<<(b&7)) == 0 {
			return false
		}
	}
	return true
}
