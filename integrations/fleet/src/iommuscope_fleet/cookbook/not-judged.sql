-- SPDX-License-Identifier: Apache-2.0
-- Which dumps could not be judged, and why?
SELECT failure.kind AS kind, failure.text AS reason, count(*) AS dumps, min(file) AS for_example
FROM dumps
WHERE failure IS NOT NULL
GROUP BY ALL
ORDER BY dumps DESC, kind, reason;
