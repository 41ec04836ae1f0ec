package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// patience is how long a test waits for what must happen.
const patience = 20 * time.Second

// The test is its own edge: started with asEdge set it is the program.
const asEdge = "EDGE_IS_UNDER_TEST"

func TestMain(m *testing.M) {
	if _, ok := os.LookupEnv(asEdge); ok {
		main()
		return
	}
	os.Exit(m.Run())
}

// door is an edge that runs, with the project's own Caddyfile.
type door struct {
	pages, https, register, otp, admin string // host:port
	names                              *names
	process                            *exec.Cmd
	log                                *buffer
	environ                            []string
}

// open starts an edge, before which there is nobody yet, with settings as vars.
func open(t *testing.T, vars ...string) *door {
	t.Helper()
	d := &door{names: serveNames(t), log: &buffer{}}
	d.environ = append(os.Environ(), asEdge+"=1", "EDGE_CONFIG=../caddy/Caddyfile", "XDG_DATA_HOME="+t.TempDir(), "HOME="+t.TempDir(),
		"EDGE_RESOLVER="+d.names.addr, "EDGE_UI_PORT="+d.names.port, "EDGE_REGISTER_GATEWAY_PORT="+d.names.port, "EDGE_OTP_GATEWAY_PORT="+d.names.port)
	for name, addr := range map[string]*string{
		"HTTP": &d.pages, "HTTPS": &d.https, "REGISTER": &d.register, "OTP": &d.otp, "ADMIN": &d.admin,
	} {
		*addr = freePort(t)
		d.environ = append(d.environ, "EDGE_LISTEN_"+name+"="+portOf(*addr))
	}
	d.environ = append(d.environ, vars...)
	d.process = exec.CommandContext(context.WithoutCancel(t.Context()), "/proc/self/exe")
	d.process.Env, d.process.Stderr = d.environ, d.log
	if err := d.process.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = d.process.Process.Kill() // it may have ended
		_ = d.process.Wait()
		if t.Failed() {
			t.Logf("log of the edge:\n%s", d.log)
		}
	})
	eventually(t, "the edge is healthy", func() bool { return d.command("healthcheck").Run() == nil })
	return d
}

// command is a command of the edge beside the one that runs.
func (d *door) command(args ...string) *exec.Cmd {
	c := exec.Command("/proc/self/exe", args...) //nolint:noctx // it ends by itself
	c.Env = d.environ
	return c
}

// stop asks the edge to stop and waits for it.
func (d *door) stop(t *testing.T) {
	t.Helper()
	if err := d.process.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := d.process.Wait(); err != nil {
		t.Errorf("the edge ended with %v", err)
	}
}

// names is a name server like that of Swarm: a name is answered with the
// addresses of its tasks. All tasks listen on port.
type names struct {
	addr, port string
	mu         sync.Mutex
	tasks      map[string][]string
}

func serveNames(t *testing.T) *names {
	t.Helper()
	n := &names{tasks: map[string][]string{}, port: portOf(freePort(t))}
	conn, err := (&net.ListenConfig{}).ListenPacket(t.Context(), "udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	n.addr = conn.LocalAddr().String()
	server := &dns.Server{PacketConn: conn, Handler: n}
	go func() { _ = server.ActivateAndServe() }() // its end is the test's
	t.Cleanup(func() { _ = server.Shutdown() })
	return n
}

// ServeDNS implements [dns.Handler].
func (n *names) ServeDNS(w dns.ResponseWriter, q *dns.Msg) {
	n.mu.Lock()
	defer n.mu.Unlock()
	answer := new(dns.Msg)
	answer.SetReply(q)
	tasks := n.tasks[strings.TrimSuffix(q.Question[0].Name, ".")]
	if len(tasks) == 0 {
		answer.Rcode = dns.RcodeNameError
	}
	for _, ip := range tasks {
		answer.Answer = append(answer.Answer, &dns.A{
			Hdr: dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypeA, Class: dns.ClassINET}, A: net.ParseIP(ip),
		})
	}
	_ = w.WriteMsg(answer) // who asked will ask again
}

func (n *names) set(name string, ips ...string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.tasks[name] = ips
}

// task starts a replica at ip; the name server knows it as soon as it is set.
func (d *door) task(t *testing.T, ip string, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", net.JoinHostPort(ip, d.names.port))
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(h)
	_ = server.Listener.Close() // the one it made itself
	server.Listener = listener
	server.Start()
	t.Cleanup(server.Close)
	return server
}

// serve starts the only replica of a name, and waits until the edge knows it.
func (d *door) serve(t *testing.T, name, ip string, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	server := d.task(t, ip, h)
	d.names.set(name, ip)
	return server
}

// mute listens at ip; with the first request that it takes its machine dies, so
// that nothing is acknowledged any more, and died is closed.
func mute(t *testing.T, ip, port string) (listener net.Listener, died chan struct{}) {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", net.JoinHostPort(ip, port))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	died = make(chan struct{})
	go func() {
		defer close(died)
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		t.Cleanup(func() { _ = conn.Close() })
		raw, err := conn.(syscall.Conn).SyscallConn() //nolint:forcetypeassert,errcheck // a TCP connection is one
		if err == nil {
			_, err = conn.Read(make([]byte, 1))
		}
		if err == nil {
			err = raw.Control(func(fd uintptr) { dropAll(int(fd)) })
		}
		if err != nil {
			t.Error(err)
		}
	}()
	return listener, died
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   string
}

// ask sends a request as it is: nothing is unpacked, no redirect followed.
func ask(t *testing.T, r *http.Request) answer {
	t.Helper()
	a, err := try(r)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

var client = &http.Client{
	Transport:     &http.Transport{DisableCompression: true, DisableKeepAlives: true},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

func try(r *http.Request) (answer, error) {
	response, err := client.Do(r)
	if err != nil {
		return answer{}, err
	}
	body, err := io.ReadAll(response.Body)
	return answer{response.StatusCode, response.Header, string(body)}, errors.Join(err, response.Body.Close())
}

// request makes a request; pairs are headers.
func request(t *testing.T, method, addr, path, body string, pairs ...string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "http://"+addr+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for pair := range slices.Chunk(pairs, 2) {
		r.Header.Set(pair[0], pair[1])
	}
	return r
}

func get(t *testing.T, addr, path string, pairs ...string) answer {
	t.Helper()
	return ask(t, request(t, http.MethodGet, addr, path, "", pairs...))
}

// say is a replica that answers with who it is and what it was asked.
func say(who string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		_, _ = io.WriteString(w, who+" "+r.Method+" "+r.URL.Path) //nolint:gosec // G705: no browser reads it
	}
}

// counting counts the requests that reach h.
func counting(h http.HandlerFunc) (http.HandlerFunc, *atomic.Int64) {
	var n atomic.Int64
	return func(w http.ResponseWriter, r *http.Request) {
		n.Add(1)
		h(w, r)
	}, &n
}

func eventually(t *testing.T, what string, happened func() bool) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(patience); time.Now().Before(end); <-tick.C {
		if happened() {
			return
		}
	}
	t.Fatalf("not within %v: %s", patience, what)
}

// lastPort counts up below the ports that connections go out from, any of which
// may be taken in the moment between here and the edge's start.
var lastPort = func() *atomic.Int64 {
	var n atomic.Int64
	n.Store(int64(20_000 + os.Getpid()%10_000))
	return &n
}()

func freePort(t *testing.T) string {
	t.Helper()
	for range 1000 {
		port := strconv.FormatInt(lastPort.Add(1), 10)
		listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", ":"+port)
		if err == nil {
			_ = listener.Close() // nothing came on it
			return "127.0.0.1:" + port
		}
	}
	t.Fatal("no port is free")
	return ""
}

func portOf(addr string) string {
	_, port, _ := strings.Cut(addr, ":")
	return port
}

// buffer is a log that is written by one and read by another.
type buffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements [io.Writer].
func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

// String implements [fmt.Stringer].
func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}
