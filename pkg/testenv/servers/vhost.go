package servers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// CreateVhost makes a virtual host through the management API and lets the API's
// user do all in it.
func CreateVhost(ctx context.Context, api, name string) error {
	base, err := url.Parse(api)
	if err != nil {
		return err
	}
	vhost := base.JoinPath("api/vhosts", url.PathEscape(name))
	if err := ask(ctx, http.MethodPut, vhost, "{}"); err != nil {
		return fmt.Errorf("create virtual host: %w", err)
	}
	permissions := base.JoinPath("api/permissions", url.PathEscape(name), url.PathEscape(base.User.Username()))
	if err := ask(ctx, http.MethodPut, permissions, `{"configure":".*","write":".*","read":".*"}`); err != nil {
		return fmt.Errorf("open virtual host: %w", err)
	}
	return nil
}

// DeleteVhost removes a virtual host with its queues and connections.
func DeleteVhost(ctx context.Context, api, name string) error {
	base, err := url.Parse(api)
	if err != nil {
		return err
	}
	if err := ask(ctx, http.MethodDelete, base.JoinPath("api/vhosts", url.PathEscape(name)), ""); err != nil {
		return fmt.Errorf("delete virtual host: %w", err)
	}
	return nil
}

// MetricsAddr asks the management API where the broker's metrics for Prometheus
// are.
func MetricsAddr(ctx context.Context, api string) (string, error) {
	base, err := url.Parse(api)
	if err != nil {
		return "", err
	}
	var overview struct {
		Listeners []struct {
			Protocol string `json:"protocol"`
			Address  string `json:"ip_address"`
			Port     int    `json:"port"`
		} `json:"listeners"`
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, base.JoinPath("api/overview").String(), nil)
	if err != nil {
		return "", err
	}
	if err := expect(request, &overview, http.StatusOK); err != nil {
		return "", fmt.Errorf("ask for the broker's listeners: %w", err)
	}
	for _, l := range overview.Listeners {
		if l.Protocol == "http/prometheus" {
			return net.JoinHostPort(l.Address, strconv.Itoa(l.Port)), nil
		}
	}
	return "", errors.New("the broker has no metrics: rabbitmq-plugins enable rabbitmq_prometheus")
}

func ask(ctx context.Context, method string, target *url.URL, body string) error {
	request, err := http.NewRequestWithContext(ctx, method, target.String(), strings.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	return expect(request, nil, http.StatusCreated, http.StatusNoContent)
}

// expect sends the request on a connection of its own: none stays open, none
// leaves a goroutine behind. The body is decoded into v unless that is nil.
func expect(request *http.Request, v any, statuses ...int) error {
	client := http.Client{
		Transport: &http.Transport{DisableKeepAlives: true},
		Timeout:   20 * time.Second,
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close() // it was only read
	switch {
	case !slices.Contains(statuses, response.StatusCode):
		return fmt.Errorf("the management API answers %s", response.Status)
	case v == nil:
		return nil
	default:
		return json.NewDecoder(response.Body).Decode(v)
	}
}
