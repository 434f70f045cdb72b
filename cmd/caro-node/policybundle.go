package main

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	v1 "github.com/caro-mesh/caro-node/api/v1"
	"github.com/caro-mesh/caro-node/cmd/caro-node/config"
	"github.com/caro-mesh/caro-node/policy/bundle"
)

// bundleDocument is the answer of `policy bundle sign --json` and `verify --json`.
type bundleDocument struct {
	SchemaVersion int `json:"schema_version"`
	v1.PolicyBundle
	Expired bool `json:"expired"`
}

// organisationDocument is the answer of `policy bundle keygen --json`.
type organisationDocument struct {
	SchemaVersion int    `json:"schema_version"`
	File          string `json:"file"`
	Fingerprint   string `json:"fingerprint"`
}

func (c *cli) policyBundleCommand() *cobra.Command {
	return group("bundle", "Make and verify the signed policy of an organisation",
		c.bundleKeygenCommand(), c.bundleSignCommand(), c.bundleVerifyCommand())
}

func (c *cli) bundleKeygenCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "keygen FILE",
		Short: "Make an organisation's key",
		Long: `Make an organisation's key and write it into FILE, for its owner alone to read. An existing file is not overwritten. The
fingerprint is printed: tell it to the people by another way than the one on which the bundles go. Keep the file away from
the network; whoever has it can sign bundles.`,
		Args: exactArgs(1, "a file to write"),
		RunE: func(_ *cobra.Command, args []string) error {
			public, key, err := ed25519.GenerateKey(nil)
			if err != nil {
				return fmt.Errorf("make the key: %w", err)
			}
			if err := writePrivate(args[0], bundle.MarshalKey(key)); err != nil {
				return fmt.Errorf("write the organisation key: %w", err)
			}
			if c.json {
				return writeJSON(c.Out, organisationDocument{v1.SchemaVersion, args[0], string(bundle.FingerprintOf(public))})
			}
			c.say("Wrote the organisation key into %s. Its fingerprint is:", args[0])
			return c.print("%s", bundle.FingerprintOf(public))
		},
	}
	c.jsonFlag(cmd)
	return cmd
}

// writePrivate writes a file that is not there yet, for the user alone to read.
func writePrivate(path string, data []byte) error {
	f, err := os.OpenFile(filepath.Clean(path), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}

func (c *cli) bundleSignCommand() *cobra.Command {
	var keyFile string
	cmd := &cobra.Command{
		Use:   "sign FILE",
		Short: "Sign a bundle",
		Long: `Check a bundle and put the signature of the organisation's key at its end; one that is there already is replaced.
docs/policy.md describes the file.`,
		Args: exactArgs(1, "a bundle"),
		RunE: func(_ *cobra.Command, args []string) error {
			if keyFile == "" {
				return usageErrorf("say which key signs it: --key FILE")
			}
			return c.runBundleSign(args[0], keyFile)
		},
	}
	cmd.Flags().StringVar(&keyFile, "key", "", "the file of the organisation's key")
	c.jsonFlag(cmd)
	return cmd
}

func (c *cli) runBundleSign(path, keyFile string) error {
	data, err := os.ReadFile(filepath.Clean(keyFile))
	if err != nil {
		return fmt.Errorf("read the organisation key: %w", err)
	}
	key, err := bundle.ParseKey(data)
	if err != nil {
		return fmt.Errorf("%s: %w", keyFile, err)
	}
	document, err := os.ReadFile(filepath.Clean(path))
	if err != nil {
		return fmt.Errorf("read the bundle: %w", err)
	}
	file, err := bundle.Sign(document, key)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if err := os.WriteFile(filepath.Clean(path), file, 0o644); err != nil { // it is for others to read
		return fmt.Errorf("write the bundle: %w", err)
	}
	b, err := bundle.Open(file)
	if err != nil {
		return err
	}
	return c.printBundle(b, "Signed %s.", path)
}

func (c *cli) bundleVerifyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "verify FILE",
		Short: "Verify the signature of a bundle, and show whose it is",
		Args:  exactArgs(1, "a bundle"),
		RunE: func(_ *cobra.Command, args []string) error {
			b, _, err := config.ReadBundle(args[0])
			if err != nil {
				return err
			}
			return c.printBundle(b, "The signature of %s is good.", args[0])
		},
	}
	c.jsonFlag(cmd)
	return cmd
}

func (c *cli) printBundle(b *bundle.Bundle, message, path string) error {
	now, err := clock(c.getenv)
	if err != nil {
		return err
	}
	doc := bundleDocument{v1.SchemaVersion, v1.PolicyBundle{Name: b.Name, Version: b.Version, Fingerprint: string(b.Fingerprint()), Issued: b.Issued, Expires: b.Expires}, b.Expired(now())}
	if c.json {
		return writeJSON(c.Out, doc)
	}
	c.say(message, path)
	until := b.Expires.UTC().Format(time.DateOnly)
	if doc.Expired {
		until += " (expired)"
	}
	for _, l := range [][2]string{{"bundle", fmt.Sprintf("%s, version %d", oneLine(b.Name), b.Version)}, {"valid until", until}, {"fingerprint", string(b.Fingerprint())}} {
		if err := c.print("%-12s %s", l[0], l[1]); err != nil {
			return err
		}
	}
	return nil
}
