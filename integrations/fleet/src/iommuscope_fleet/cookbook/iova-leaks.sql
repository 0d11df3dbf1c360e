-- SPDX-License-Identifier: Apache-2.0
-- Which kernels leak IOVA, and by which driver?
-- A node that a driver holds and that maps nothing is an address that it did not give back; rings
-- and pools hold some for good, so the share tells more than the number.
SELECT release, held.driver AS driver, count(*) AS dumps, sum(held.nodes) AS nodes,
       sum(held.unmappedNodes) AS unmapped,
       round(100.0 * sum(held.unmappedNodes) / sum(held.nodes), 1) AS percent
FROM (SELECT release, unnest(drivers) AS held FROM dumps)
WHERE held.nodes > 0
GROUP BY ALL
ORDER BY unmapped DESC, release, driver;
