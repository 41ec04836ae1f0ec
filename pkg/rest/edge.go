package rest

import (
	"net"
	"net/http"
	"net/netip"
	"strings"

	"github.com/go-chi/chi/v5"
	"golang.org/x/text/language"

	"matriq/pkg/rpc"
)

// greet gives the request its language, which travels on with every call, and
// the answer what all answers have.
func (a *API) greet(next http.Handler) http.Handler {
	languages := language.NewMatcher([]language.Tag{language.English, language.Thai})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Served-By", a.instance)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cache-Control", "no-store")
		meta := rpc.MetaFrom(r.Context())
		meta.Language = languageOf(r, languages)
		next.ServeHTTP(w, r.WithContext(rpc.WithMeta(r.Context(), meta)))
	})
}

// maxAcceptLanguage is how much of the header is read: reading costs time.
const maxAcceptLanguage = 200

// languageOf returns th or en; en where the request asks for neither.
func languageOf(r *http.Request, matcher language.Matcher) string {
	wanted := r.Header.Get("Accept-Language")
	if len(wanted) > maxAcceptLanguage {
		return "en"
	}
	tag, _ := language.MatchStrings(matcher, wanted)
	base, _ := tag.Base()
	return base.String()
}

// refuse answers for the middleware of pkg/service/httpd, which has logged what
// there is to log.
func (a *API) refuse(w http.ResponseWriter, r *http.Request, status int) {
	if status == http.StatusMisdirectedRequest {
		a.tell(w, r, Refuse(Misdirected, "The host is none of ALLOWED_HOSTS."))
		return
	}
	a.tell(w, r, Refuse(Internal, "The failure is recorded under the request ID."))
}

// keepHome refuses requests from another machine while the demo's password is
// accepted.
func (a *API) keepHome(next http.Handler) http.Handler {
	if !a.cfg.Demo {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !arrivedOnLoopback(r) {
			a.tell(w, r, Refuse(Misdirected, "The demo is served on this machine's loopback address only."))
			return
		}
		next.ServeHTTP(w, r)
	})
}

func arrivedOnLoopback(r *http.Request) bool {
	local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if !ok {
		return false
	}
	addr, err := netip.ParseAddrPort(local.String())
	return err == nil && addr.Addr().Unmap().IsLoopback()
}

func (a *API) notFound(w http.ResponseWriter, r *http.Request) {
	a.tell(w, r, Refuse(NotFound, "There is no such path. /docs lists those there are."))
}

// methodNotAllowed is also what chi calls for methods it has never heard of,
// whatever the path.
func (a *API) methodNotAllowed(w http.ResponseWriter, r *http.Request) {
	var allowed []string
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost} {
		if a.matches(method, r) {
			allowed = append(allowed, method)
		}
	}
	if len(allowed) == 0 {
		a.notFound(w, r)
		return
	}
	w.Header().Set("Allow", strings.Join(allowed, ", "))
	a.tell(w, r, Refuse(MethodNotAllowed, "Use %s.", strings.Join(allowed, " or ")))
}

func (a *API) matches(method string, r *http.Request) bool {
	path := r.URL.Path
	if len(path) > 1 {
		path = strings.TrimSuffix(path, "/")
	}
	if method == http.MethodHead {
		method = http.MethodGet
	}
	return a.mux.Match(chi.NewRouteContext(), method, path)
}
