package httpd

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// Hosts are the names under which a server answers, without ports.
type Hosts map[string]bool

// ParseHosts returns the host of origin, such as https://reg.example.ac.th, and
// those of list, by comma, with or without ports. Both may be empty.
func ParseHosts(origin, list string) (Hosts, error) {
	hosts := Hosts{}
	if origin != "" {
		u, err := url.Parse(origin)
		if err != nil || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https" {
			return nil, fmt.Errorf("%q is no origin such as https://reg.example.ac.th", origin)
		}
		hosts[hostname(u.Host)] = true
	}
	for host := range strings.SplitSeq(list, ",") {
		host = strings.TrimSpace(host)
		if strings.ContainsAny(host, "/ *@") {
			return nil, fmt.Errorf("%q is no host such as reg.example.ac.th", host)
		}
		if host != "" {
			hosts[hostname(host)] = true
		}
	}
	return hosts, nil
}

// AllowHosts answers 421 to a request for another host than hosts has, so that
// nobody can make the server believe in a name that is not its own. With no
// hosts it lets all pass.
func AllowHosts(hosts Hosts, refuse func(http.ResponseWriter, *http.Request, int)) Middleware {
	return func(next http.Handler) http.Handler {
		if len(hosts) == 0 {
			return next
		}
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !hosts[hostname(r.Host)] {
				refuse(w, r, http.StatusMisdirectedRequest)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}

// hostname is host without port, brackets, case and the root's dot. What is no
// port stays, so that no allowed name comes out of it.
func hostname(host string) string {
	if name, port, err := net.SplitHostPort(host); err == nil && isPort(port) {
		host = name
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	return strings.ToLower(strings.TrimSuffix(host, "."))
}

func isPort(port string) bool {
	_, err := strconv.ParseUint(port, 10, 16)
	return err == nil
}
