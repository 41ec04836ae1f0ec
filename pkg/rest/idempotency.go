package rest

import (
	"context"
	"crypto/rand"
	"net/http"
	"regexp"

	"github.com/danielgtaylor/huma/v2"

	"matriq/pkg/rpc"
)

const idempotencyKey = "Idempotency-Key"

// saneKey is what a key may be: visible ASCII, not too long for an index.
var saneKey = regexp.MustCompile(`^[!-~]{1,128}$`)

// WithIdempotencyKey returns the context of r for the call that r asks for, with
// the key that the client gave to it, if any. Keys of different clients never
// meet.
func WithIdempotencyKey(r *http.Request) (context.Context, error) {
	given := r.Header.Values(idempotencyKey)
	if len(given) == 0 {
		return r.Context(), nil
	}
	if len(given) > 1 || !saneKey.MatchString(given[0]) {
		return nil, Refuse(BadIdempotencyKey, "Send one %s of 1 to 128 visible ASCII characters.", idempotencyKey)
	}
	return rpc.WithKey(r.Context(), ClientOf(r.Context())+"/"+given[0]), nil
}

// WithOneKey is WithIdempotencyKey for a call that has to have a key, to be
// repeated when its answer is lost: where the client gave none, it gets one of its
// own.
func WithOneKey(r *http.Request) (context.Context, error) {
	ctx, err := WithIdempotencyKey(r)
	if err != nil || rpc.KeyFrom(ctx) != "" {
		return ctx, err
	}
	return rpc.WithKey(ctx, rand.Text()), nil
}

// IdempotencyKeyParam describes the header.
func IdempotencyKeyParam() *huma.Param {
	shortest, longest := 1, 128
	return &huma.Param{
		Name: idempotencyKey, In: "header",
		Description: "names this request among those of the client, so that it can be repeated without fear",
		Schema:      &huma.Schema{Type: huma.TypeString, MinLength: &shortest, MaxLength: &longest},
		Example:     "1f0c9b1e-6f0b-4e6b-a6de-2f6d2e3c7a10",
	}
}
