-- Tool calls that ended, one row a call.
CREATE VIEW tool_calls AS
SELECT * EXCEPT
(
    provider, model, finish_reason, input_tokens, output_tokens, cached_tokens, cost_usd
)
FROM steps
WHERE step_kind = 'tool';
