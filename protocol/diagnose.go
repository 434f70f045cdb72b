package protocol

import (
	"fmt"

	"github.com/fxamacker/cbor/v2"
)

var diagMode = must(cbor.DiagOptions{ByteStringEmbeddedCBOR: true, MaxNestedLevels: 2 * maxNesting, MaxArrayElements: maxArrayElements,
	MaxMapPairs: maxMapPairs}.DiagMode())

// Diagnose writes encoded bytes in CBOR's diagnostic notation (RFC 8949, section 8), for people: all that is in them, and
// nothing that is not. Byte strings that hold encoded items, as signed messages do, are shown as these, between << and >>.
func Diagnose(encoded []byte) (string, error) {
	text, err := diagMode.Diagnose(encoded)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return text, nil
}
