package service

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

const healthcheckTimeout = 3 * time.Second

// healthcheck asks the program that runs beside it, as a container's health
// check does: an image without a shell has nothing else to ask with. It asks
// whether the program has started, not whether it is ready: nothing is mended by
// killing who waits for a broker or a database.
func (p Program) healthcheck(ctx context.Context, vars map[string]string, stdout, stderr io.Writer) int {
	var c Common
	if faults := decode(vars, &c); len(faults) > 0 {
		return p.misused(stderr, faults.Error())
	}
	ctx, cancel := context.WithTimeout(ctx, healthcheckTimeout)
	defer cancel()
	answer, err := askStarted(ctx, localURL(c.AdminAddr))
	if err != nil {
		fmt.Fprintf(stderr, "%s is not healthy: %v\n", p.Name, err) // the exit code says it too
		return exitFailed
	}
	fmt.Fprintln(stdout, answer) // the exit code says it too
	return exitOK
}

// localURL is how this machine reaches a server that listens on addr.
func localURL(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return "http://" + addr + "/startupz"
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, port) + "/startupz"
}

func askStarted(ctx context.Context, url string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close() // it was only read
	body, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil {
		return "", err
	}
	if response.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s: %s", response.Status, body)
	}
	return string(body), nil
}
