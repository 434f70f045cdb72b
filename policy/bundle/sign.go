package bundle

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

const (
	signingContext = "caro-mesh bundle v1\x00"
	signaturePart  = "# caro-mesh bundle signature: "
	keyPrefix      = "caro-mesh organisation key: "

	// MaxSize is the greatest size of a signed file, in bytes: some hundreds of supervisors and subnets.
	MaxSize = 64 << 10
)

// Fingerprint is how people compare an organisation's key: 128 bits of its SHA-256 in hexadecimal digits.
type Fingerprint string

// FingerprintOf returns the fingerprint of a public key.
func FingerprintOf(key ed25519.PublicKey) Fingerprint {
	sum := sha256.Sum256(key)
	return Fingerprint(hex.EncodeToString(sum[:16]))
}

// Sign returns the signed file of a document, which is checked first. A signature that it carries already is replaced.
func Sign(document []byte, key ed25519.PrivateKey) ([]byte, error) {
	public, ok := key.Public().(ed25519.PublicKey)
	if !ok || len(key) != ed25519.PrivateKeySize {
		return nil, errors.New("the organisation key is not an Ed25519 private key; make one with \"caro-node policy bundle keygen\"")
	}
	body, _, signed := split(document)
	if !signed {
		body = document
	}
	body = bytes.Clone(body)
	if len(body) > 0 && body[len(body)-1] != '\n' {
		body = append(body, '\n')
	}
	signature := ed25519.Sign(key, append([]byte(signingContext), body...))
	file := fmt.Appendf(body, "%s%s %s\n", signaturePart, base64.StdEncoding.EncodeToString(public), base64.StdEncoding.EncodeToString(signature))
	if _, err := Open(file); err != nil {
		return nil, err
	}
	return file, nil
}

// Open verifies a signed file and reads it. The signature proves that the holder of [Bundle.Key] made it; whose key that
// is, is for the caller to know. On error there is no bundle.
func Open(file []byte) (*Bundle, error) {
	if len(file) > MaxSize {
		return nil, fmt.Errorf("the bundle has %d bytes; at most %d are allowed", len(file), MaxSize)
	}
	body, line, ok := split(file)
	if !ok {
		return nil, errors.New("the bundle is not signed: its last line has to be the signature; sign it with \"caro-node policy bundle sign\"")
	}
	key, signature, err := parseSignature(line)
	if err != nil {
		return nil, err
	}
	if !ed25519.Verify(key, append([]byte(signingContext), body...), signature) {
		return nil, errors.New("the signature of the bundle is wrong: the file was changed after it was signed; get it again from where it came")
	}
	b, err := parse(body)
	if err != nil {
		return nil, err
	}
	b.Key = key
	return b, nil
}

// split parts the last line from what it signs.
func split(file []byte) (body []byte, line string, ok bool) {
	if len(file) == 0 || file[len(file)-1] != '\n' {
		return nil, "", false
	}
	start := bytes.LastIndexByte(file[:len(file)-1], '\n') + 1
	line, ok = strings.CutPrefix(string(file[start:len(file)-1]), signaturePart)
	return file[:start], line, ok
}

func parseSignature(line string) (ed25519.PublicKey, []byte, error) {
	first, second, _ := strings.Cut(line, " ")
	strict := base64.StdEncoding.Strict()
	key, errKey := strict.DecodeString(first)
	signature, errSig := strict.DecodeString(second)
	if errKey != nil || errSig != nil || len(key) != ed25519.PublicKeySize || len(signature) != ed25519.SignatureSize ||
		strings.ContainsAny(line, "\r\n") { // which base64 would skip
		return nil, nil, errors.New("the last line of the bundle is not a signature: expected a public key and a signature in base64")
	}
	return key, signature, nil
}

// MarshalKey writes an organisation's private key as the one line of its file.
func MarshalKey(key ed25519.PrivateKey) []byte {
	return []byte(keyPrefix + base64.StdEncoding.EncodeToString(key.Seed()) + "\n")
}

// ParseKey reads what [MarshalKey] wrote. Its error tells nothing of the key.
func ParseKey(file []byte) (ed25519.PrivateKey, error) {
	text, ok := strings.CutPrefix(strings.TrimSpace(string(file)), keyPrefix)
	seed, err := base64.StdEncoding.Strict().DecodeString(text)
	if !ok || err != nil || len(seed) != ed25519.SeedSize {
		return nil, errors.New("this is not an organisation key; make one with \"caro-node policy bundle keygen\"")
	}
	return ed25519.NewKeyFromSeed(seed), nil
}
