package httpd

import (
	"crypto/rand"
	"net/http"
	"regexp"

	"matriq/pkg/clientip"
	"matriq/pkg/rpc"
)

// HeaderRequestID names a request on its way through the services.
const HeaderRequestID = "X-Request-Id"

var wellFormedID = regexp.MustCompile(`^[A-Za-z0-9._-]{8,64}$`)

// RequestID puts the request's ID and the client's address into the context's
// [rpc.Meta], and the ID into the answer. A well-formed ID that arrives is kept
// when a trusted proxy sent it, so that one ID runs from the edge to the last
// worker; anybody else could make two requests look like one.
func RequestID(trusted clientip.Trusted) Middleware {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			meta := rpc.MetaFrom(r.Context())
			meta.RequestID = RequestIDOf(r, trusted)
			if ip := trusted.Of(r); ip.IsValid() {
				meta.ClientIP = ip.String()
			}
			SetRequestID(w, meta.RequestID)
			next.ServeHTTP(w, r.WithContext(rpc.WithMeta(r.Context(), meta)))
		})
	}
}

// SetRequestID puts a request's ID into its answer.
func SetRequestID(w http.ResponseWriter, id string) { w.Header()[HeaderRequestID] = []string{id} }

// RequestIDOf is the ID that r has by the rule of [RequestID], or a new one.
func RequestIDOf(r *http.Request, trusted clientip.Trusted) string {
	id := r.Header.Get(HeaderRequestID)
	if id != "" && wellFormedID.MatchString(id) && trusted.Contains(clientip.Peer(r)) {
		return id
	}
	return rand.Text()
}
