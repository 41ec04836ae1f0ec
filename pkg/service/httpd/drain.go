package httpd

import (
	"io"
	"net/http"
)

// maxExcess is how much is read of a body that nobody wanted: as much as net/http
// reads.
const maxExcess = 256 << 10

// Drain reads what the handler left of a body before the answer leaves, so that a
// client that is refused while it still writes reads why, and not of a reset.
// net/http does so for a connection that stays open; one that is to end, because the
// client or a server that is leaving says so, it closes on what has not been read.
//
// Of a body that is longer still, net/http gets half a second for the client to read
// the answer. What a client does not send within the deadline that the handler left
// is not waited for. Nothing is read of a body that the client asks first whether to
// send.
//
// Drain stands outside of whatever wraps the ResponseWriter: net/http knows its own.
func Drain(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := r.Body
		next.ServeHTTP(w, r)
		if body == http.NoBody || r.Header.Get("Expect") != "" {
			return
		}
		_, _ = io.Copy(io.Discard, http.MaxBytesReader(w, body, maxExcess))
	})
}
