-- Model calls that ended, one row a call. What a provider did not say is null, never zero; the time
-- to the first token is first_item_us.
CREATE VIEW llm_calls AS
SELECT *
FROM steps
WHERE step_kind = 'llm';
