SELECT
  `t6`.`id`,
  COALESCE(CAST(NULL AS BOOL), FALSE) AS `metaxy_own`
FROM (
  SELECT
    `t4`.`id`
  FROM (
    SELECT
      `t0`.`id`
    FROM `metaxy_kept_1` AS `t0`
    WHERE
      `t0`.`metaxy_status` IN (0, 1)
  ) AS `t4`
  WHERE
    NOT EXISTS(
      SELECT
        1
      FROM (
        SELECT
          *
        FROM `copy` AS `t1`
        WHERE
          `t1`.`metaxy_commit` > @since_seen
      ) AS `t5`
      WHERE
        `t4`.`id` = `t5`.`id`
    )
) AS `t6`
WHERE
  (
    CAST(NULL AS BOOL) IS NULL
  ) OR COALESCE(CAST(NULL AS BOOL), FALSE);

SELECT
  *
FROM `metaxy_claimed`;

SELECT
  *
FROM `metaxy__claims__staged`;
