package rpc

import (
	"cmp"
	"context"
	"slices"
	"time"
)

// Pong tells who answers.
type Pong struct {
	Service  string `json:"service"`
	Instance string `json:"instance"`
	Version  string `json:"version"`
}

// Description is what one replica of a service serves, and how it went since it
// started.
type Description struct {
	Pong
	Methods []MethodDescription `json:"methods"`
}

// MethodDescription has the numbers of one method in one replica.
type MethodDescription struct {
	Name string `json:"name"`
	Kind Kind   `json:"kind"`
	// Source is the event that is handled, for events alone.
	Source string `json:"source,omitempty"`
	Count  int64  `json:"count"`
	Errors int64  `json:"errors"`
	// The quantiles are rounded up to the next power of two of 128 µs.
	MeanMS float64 `json:"mean_ms"`
	P50MS  float64 `json:"p50_ms"`
	P99MS  float64 `json:"p99_ms"`
}

// Nothing is the arguments of a method that takes none.
type Nothing struct{}

const builtinTimeout = 5 * time.Second

// Ping returns the method by which one replica of service tells who it is.
// Every service has it.
func Ping(service string) Method[Nothing, Pong] {
	return NewMethod[Nothing, Pong](service+".ping", builtinTimeout).Idempotent()
}

// Describe returns the method by which one replica of service tells what it
// serves. Every service has it.
func Describe(service string) Method[Nothing, Description] {
	return NewMethod[Nothing, Description](service+".describe", builtinTimeout).Idempotent()
}

func (s *server) pingRoute(service string) Route {
	return Ping(service).Handle(func(context.Context, Nothing) (Pong, error) {
		return s.pong(service), nil
	})
}

func (s *server) describeRoute(service string) Route {
	return Describe(service).Handle(func(context.Context, Nothing) (Description, error) {
		return s.describe(service), nil
	})
}

func (s *server) pong(service string) Pong {
	return Pong{Service: service, Instance: s.o.Instance, Version: s.o.Version}
}

func (s *server) describe(service string) Description {
	d := Description{Pong: s.pong(service)}
	for _, e := range s.endpoints {
		if e.Service() == service {
			d.Methods = append(d.Methods, e.describe())
		}
	}
	slices.SortFunc(d.Methods, func(a, b MethodDescription) int { return cmp.Compare(a.Name, b.Name) })
	return d
}

func (e *endpoint) describe() MethodDescription {
	return MethodDescription{
		Name: e.Target, Kind: e.Kind, Source: e.Source,
		Count: e.stats.count.Load(), Errors: e.stats.errors.Load(),
		MeanMS: milliseconds(e.stats.mean()), P50MS: milliseconds(e.stats.quantile(.5)), P99MS: milliseconds(e.stats.quantile(.99)),
	}
}

func milliseconds(d time.Duration) float64 {
	return float64(d.Microseconds()) / 1000
}
