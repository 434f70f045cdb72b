package api_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/caro-mesh/caro-node/api"
)

// holdSocket names the socket that a copy of this test program takes and holds until it is killed.
const holdSocket = "API_TEST_HOLD_SOCKET"

func TestMain(m *testing.M) {
	if path := os.Getenv(holdSocket); path != "" {
		if _, err := api.Listen(context.Background(), api.Config{Socket: path}); err != nil {
			_, _ = fmt.Fprintln(os.Stdout, err)
			os.Exit(1)
		}
		_, _ = fmt.Fprintln(os.Stdout, "listening")
		_, _ = bufio.NewReader(os.Stdin).ReadByte() // until killed, or the parent ends
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}
