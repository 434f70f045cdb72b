package protocol

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/fxamacker/cbor/v2"
)

// Errors of decoding. All of them mean that the sender is at fault and the bytes must be dropped.
var (
	ErrMalformed        = errors.New("malformed message")
	ErrNotDeterministic = errors.New("message is not in deterministic encoding (RFC 8949 §4.2.1)")
)

var (
	encMode = must(func() (cbor.EncMode, error) {
		o := cbor.CoreDetEncOptions()
		o.NilContainers = cbor.NilContainerAsEmpty
		o.IndefLength = cbor.IndefLengthForbidden
		o.TagsMd = cbor.TagsForbidden
		return o.EncMode()
	}())
	decMode = must(cbor.DecOptions{
		DupMapKey:         cbor.DupMapKeyEnforcedAPF,
		IndefLength:       cbor.IndefLengthForbidden,
		TagsMd:            cbor.TagsForbidden,
		ExtraReturnErrors: cbor.ExtraDecErrorUnknownField,
		MaxNestedLevels:   maxNesting,
		MaxArrayElements:  maxArrayElements,
		MaxMapPairs:       maxMapPairs,
		UTF8:              cbor.UTF8RejectInvalid,
		NaN:               cbor.NaNDecodeForbidden,
		Inf:               cbor.InfDecodeForbidden,
	}.DecMode())
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err) // constant options: wrong only if the library changed under us
	}
	return v
}

// Validator is implemented by every payload: it checks what the encoding cannot.
type Validator interface{ Validate() error }

// Encode returns the deterministic CBOR encoding of a payload. It does not validate: see [Decode].
func Encode(v any) ([]byte, error) {
	b, err := encMode.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode %T: %w", v, err)
	}
	return b, nil
}

// Decode reads one payload and validates it. Duplicate and unknown keys, indefinite lengths, tags, over-deep and
// over-long input, trailing bytes and any encoding other than the deterministic one are refused with [ErrMalformed]
// or [ErrNotDeterministic]; on any error v must not be used.
func Decode(data []byte, v Validator) error {
	if err := decodeStrict(data, v); err != nil {
		return err
	}
	if err := v.Validate(); err != nil {
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return nil
}

// decodeStrict decodes without validating the content.
func decodeStrict(data []byte, v any) error {
	if err := decMode.Unmarshal(data, v); err != nil {
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	again, err := encMode.Marshal(v)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if !bytes.Equal(again, data) {
		return ErrNotDeterministic
	}
	return nil
}
