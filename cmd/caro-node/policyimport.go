package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/caro-mesh/caro-node/api/client"
	v1 "github.com/caro-mesh/caro-node/api/v1"
	"github.com/caro-mesh/caro-node/cmd/caro-node/config"
	"github.com/caro-mesh/caro-node/policy/bundle"
)

type policyImportOptions struct {
	yes bool
	key string
}

// policyImportDocument is the answer of `policy import --json`.
type policyImportDocument struct {
	SchemaVersion int                    `json:"schema_version"`
	Bundle        v1.PolicyBundle        `json:"bundle"`
	First         bool                   `json:"first"` // no key of this organisation was accepted before
	Changes       []v1.PolicyRightChange `json:"changes"`
	Accepted      bool                   `json:"accepted"`
	Running       bool                   `json:"running"` // the running node has it in force
}

func (c *cli) policyImportCommand() *cobra.Command {
	var o policyImportOptions
	cmd := &cobra.Command{
		Use:   "import FILE",
		Short: "Look at the signed policy of an organisation, and accept it",
		Long: `Verify the bundle of an organisation, show who would gain and who would lose what, and accept it when you say so. Compare
the fingerprint of the organisation's key by another way than the one on which the file came. Later bundles have to be
signed by the same key and to have a higher version.

What you deny stays denied, and where you are stricter than the bundle, that counts. You cannot be looser than its caps.
"policy forget-bundle" takes it back.`,
		Example: `  caro-node policy import /media/usb/acme.toml
  caro-node policy import acme.toml --yes --key 0123456789abcdef0123456789abcdef`,
		Args: exactArgs(1, "a bundle"),
		RunE: func(cmd *cobra.Command, args []string) error { return c.runPolicyImport(cmd.Context(), args[0], o) },
	}
	cmd.Flags().BoolVar(&o.yes, "yes", false, "accept without being asked; the first time it needs --key")
	cmd.Flags().StringVar(&o.key, "key", "", "the fingerprint that the organisation's key has to have")
	c.jsonFlag(cmd)
	return cmd
}

func (c *cli) runPolicyImport(ctx context.Context, path string, o policyImportOptions) error {
	p, err := c.paths()
	if err != nil {
		return err
	}
	now, err := clock(c.getenv)
	if err != nil {
		return err
	}
	b, file, err := config.ReadBundle(path)
	if err != nil {
		return err
	}
	accepted, pinned, err := mayFollow(p, b, o.key, now())
	if err != nil {
		return err
	}
	doc := policyImportDocument{SchemaVersion: v1.SchemaVersion, First: pinned == "", Bundle: v1.PolicyBundle{Name: b.Name, Version: b.Version,
		Fingerprint: string(b.Fingerprint()), Issued: b.Issued, Expires: b.Expires}}
	if doc.Changes, err = c.bundleChanges(ctx, p, accepted, b, file, now()); err != nil {
		return err
	}
	if !c.json {
		c.say("Bundle %s, version %d, valid until %s.", oneLine(b.Name), b.Version, b.Expires.UTC().Format(time.DateOnly))
		c.say("Organisation key: %s", b.Fingerprint())
		if err := c.printDiff(v1.PolicyDiff{Changes: doc.Changes}); err != nil {
			return err
		}
	}
	if doc.Accepted, err = c.acceptsBundle(ctx, b, doc.First, o); err != nil {
		return err
	}
	if doc.Accepted {
		if err := config.AcceptBundle(p, b, file); err != nil {
			return err
		}
		if doc.Running, err = c.reloadIfRunning(ctx); err != nil {
			return fmt.Errorf("the bundle is accepted, and the running node did not take it: %w", err)
		}
	}
	return c.printAccepted(doc)
}

// mayFollow refuses what may not be accepted whatever the person says, and returns what it would replace. In the place of an
// accepted bundle that cannot be used any more any of the same organisation may be put.
func mayFollow(p config.Paths, b *bundle.Bundle, key string, now time.Time) (*bundle.Bundle, bundle.Fingerprint, error) {
	accepted, broken := config.AcceptedBundle(p)
	pinned, err := config.PinnedOrganisation(p)
	switch {
	case err != nil:
		return nil, "", err
	case key != "" && key != string(b.Fingerprint()):
		return nil, "", fmt.Errorf("the bundle is signed by the key %s, not by %s; nothing was done", b.Fingerprint(), key)
	case pinned != "" && pinned != b.Fingerprint():
		return nil, "", fmt.Errorf("%w %s, and %s was accepted; if that is meant, take the accepted one back first (caro-node policy forget-bundle)",
			bundle.ErrOtherOrganisation, b.Fingerprint(), pinned)
	case b.Expired(now):
		return nil, "", fmt.Errorf("the bundle expired on %s; ask the organisation for a newer one", b.Expires.UTC().Format(time.DateOnly))
	case broken != nil && pinned == "": // nothing says whose bundle was accepted
		return nil, "", broken
	case accepted != nil:
		err = b.Follows(accepted)
	}
	return accepted, pinned, err
}

// acceptsBundle asks the person. The first time they type the name, so that nobody trusts a key by habit.
func (c *cli) acceptsBundle(ctx context.Context, b *bundle.Bundle, first bool, o policyImportOptions) (bool, error) {
	switch {
	case o.yes && first && o.key == "":
		return false, usageErrorf("this would be the first bundle of the key %s: with --yes, say which key you expect with --key FINGERPRINT", b.Fingerprint())
	case o.yes:
		return true, nil
	case first:
		c.say("No key of this organisation was accepted before. Compare its fingerprint by another way than the one on which the file came.")
	}
	typed, err := c.ask(ctx, fmt.Sprintf("To accept the bundle, type %q: ", b.Name))
	return typed == b.Name, err
}

func (c *cli) reloadIfRunning(ctx context.Context) (bool, error) {
	cl, err := c.client()
	if err != nil {
		return false, err
	}
	_, err = cl.ReloadPolicy(ctx)
	if errors.Is(err, client.ErrNotRunning) {
		return false, nil
	}
	return err == nil, err
}

func (c *cli) printAccepted(doc policyImportDocument) error {
	var err error
	if c.json {
		err = writeJSON(c.Out, doc)
	}
	switch {
	case !doc.Accepted:
		c.say("The bundle was not accepted; nothing has changed.")
		return errors.Join(err, &exitError{exitFailed, nil})
	case doc.Running:
		c.say("The bundle is accepted, and in force.")
	default:
		c.say("The bundle is accepted, and in force from the next start of the node on.")
	}
	return err
}
