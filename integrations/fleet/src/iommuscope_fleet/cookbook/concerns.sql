-- SPDX-License-Identifier: Apache-2.0
-- What speaks against crash kernels, and how often?
SELECT concern, count(*) AS dumps, count(DISTINCT release) AS releases
FROM (SELECT release, unnest(crashKernel.concerns) AS concern FROM dumps)
GROUP BY concern
ORDER BY dumps DESC, concern;
