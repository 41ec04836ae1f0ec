package service

import (
	"context"
	"log/slog"
	"net/url"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

const traceFlushTimeout = 5 * time.Second

// Trace sends the process's spans to OTEL_EXPORTER_OTLP_ENDPOINT until stop is
// called, which sends what is left. Without the setting spans go nowhere, but a
// trace that arrives at a gateway still travels on. Once a process: the
// provider is OpenTelemetry's global.
func (e Env) Trace(ctx context.Context) (stop func(), err error) {
	otel.SetTextMapPropagator(propagation.NewCompositeTextMapPropagator(
		propagation.TraceContext{}, propagation.Baggage{}))
	endpoint, err := tracesURL(e.common.OTLP)
	if err != nil {
		return nil, err
	}
	if endpoint == "" {
		return func() {}, nil
	}
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(endpoint))
	if err != nil {
		return nil, err
	}
	provider := sdktrace.NewTracerProvider(
		sdktrace.WithBatcher(exporter),
		sdktrace.WithResource(resource.NewSchemaless(
			attribute.String("service.name", e.Name),
			attribute.String("service.instance.id", e.Instance),
			attribute.String("service.version", e.Version),
		)),
	)
	otel.SetTracerProvider(provider)
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
		e.Log.Warn("traces are being lost", slog.Any("error", err))
	}))
	return func() { e.flushTraces(ctx, provider) }, nil
}

// Traced is true when spans go somewhere. What would only describe one is left out
// where they do not.
func (e Env) Traced() bool { return e.common.OTLP != "" }

func (e Env) flushTraces(ctx context.Context, provider *sdktrace.TracerProvider) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), traceFlushTimeout)
	defer cancel()
	if err := provider.Shutdown(ctx); err != nil {
		e.Log.WarnContext(ctx, "last traces were lost", slog.Any("error", err))
	}
}

// tracesURL adds the signal's path to the base URL, as OpenTelemetry's own
// reading of the setting does; empty for no traces.
func tracesURL(base string) (string, error) {
	if base == "" {
		return "", nil
	}
	endpoint, err := url.Parse(base)
	if err != nil || endpoint.Host == "" || endpoint.Scheme != "http" && endpoint.Scheme != "https" {
		return "", Fault{
			Setting: "OTEL_EXPORTER_OTLP_ENDPOINT",
			Problem: "is no URL",
			Cure:    "write one such as http://collector:4318",
		}
	}
	return endpoint.JoinPath("v1/traces").String(), nil
}
