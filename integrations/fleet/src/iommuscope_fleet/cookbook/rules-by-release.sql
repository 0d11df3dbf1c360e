-- SPDX-License-Identifier: Apache-2.0
-- Which findings do which kernels have?
SELECT *
FROM (
  SELECT broken.rule AS rule, broken.severity AS severity, release, count(*) AS dumps,
         sum(broken.count) AS findings
  FROM (SELECT release, unnest(rules) AS broken FROM dumps)
  GROUP BY ALL
)
ORDER BY CASE severity WHEN 'error' THEN 0 WHEN 'warning' THEN 1 ELSE 2 END, dumps DESC, rule,
         release;
