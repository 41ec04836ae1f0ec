package servers

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
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

func ask(ctx context.Context, method string, target *url.URL, body string) error {
	request, err := http.NewRequestWithContext(ctx, method, target.String(), strings.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	return expect(request, http.StatusCreated, http.StatusNoContent)
}

// expect sends the request on a connection of its own: none stays open, none
// leaves a goroutine behind.
func expect(request *http.Request, statuses ...int) error {
	client := http.Client{
		Transport: &http.Transport{DisableKeepAlives: true},
		Timeout:   20 * time.Second,
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close() // the status is all that is read
	if slices.Contains(statuses, response.StatusCode) {
		return nil
	}
	return fmt.Errorf("the management API answers %s", response.Status)
}
