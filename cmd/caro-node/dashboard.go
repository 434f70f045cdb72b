package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/caro-mesh/caro-node/api"
	v1 "github.com/caro-mesh/caro-node/api/v1"
)

func (c *cli) dashboardCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "dashboard",
		Short: "Print the address of this node's page, with the key to it",
		Long: `Print the address of this node's page. The part after # is the key: it stays in your browser and is not sent as part
of the address. Do not share it.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cl, err := c.client()
			if err != nil {
				return err
			}
			s, err := cl.Status(cmd.Context())
			if err != nil {
				return err
			}
			if s.API.Listen == "" {
				return fmt.Errorf("the page is switched off; set api.listen = \"127.0.0.1:9237\" in the configuration and restart the node")
			}
			p, err := c.paths()
			if err != nil {
				return err
			}
			token, err := os.ReadFile(p.Token)
			if err != nil {
				return fmt.Errorf("read the key to the page: %w", err)
			}
			url := api.PageURL(s.API.Listen, strings.TrimSpace(string(token)))
			if c.json {
				return writeJSON(c.Out, map[string]any{"schema_version": v1.SchemaVersion, "url": url})
			}
			return c.print("%s", url)
		},
	}
	c.jsonFlag(cmd)
	return cmd
}
