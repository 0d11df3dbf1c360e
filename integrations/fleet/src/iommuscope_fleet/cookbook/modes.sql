-- SPDX-License-Identifier: Apache-2.0
-- How do kernels run their remapping units?
SELECT release, list_sort(units.modes) AS modes, count(*) AS dumps,
       count(*) FILTER (units.translating < units.count) AS with_a_unit_that_does_not_translate,
       count(*) FILTER (units.remappingInterrupts < units.count) AS with_interrupts_not_remapped
FROM dumps
WHERE units IS NOT NULL
GROUP BY ALL
ORDER BY release, modes;
