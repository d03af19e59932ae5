SELECT
  *
FROM `metaxy__commits` AS `t0`
WHERE
  `t0`.`feature` IN ('copy');

SELECT
  *
FROM (
  SELECT
    `t12`.`id`,
    `t12`.`etag`,
    `t12`.`size`,
    `t12`.`metaxy_provenance__default`,
    `t12`.`metaxy_data_version__default`,
    `t12`.`metaxy_commit`,
    `t12`.`metaxy_deleted`,
    `t5`.`metaxy_feature_version`,
    `t5`.`metaxy_created_at`,
    `t5`.`metaxy_materialization_id`
  FROM (
    SELECT
      `t10`.`id`,
      `t10`.`etag`,
      `t10`.`size`,
      `t10`.`metaxy_provenance__default`,
      `t10`.`metaxy_data_version__default`,
      `t10`.`metaxy_commit`,
      `t10`.`metaxy_deleted`
    FROM (
      SELECT
        `t2`.`id`,
        `t2`.`etag`,
        `t2`.`size`,
        `t2`.`metaxy_provenance__default`,
        `t2`.`metaxy_data_version__default`,
        `t2`.`metaxy_commit`,
        `t2`.`metaxy_deleted`,
        `t9`.`id` AS `id__metaxy_newest`,
        `t9`.`metaxy_newest`
      FROM `copy` AS `t2`
      LEFT OUTER JOIN (
        SELECT
          `t7`.`id`,
          MAX(`t7`.`metaxy_commit`) AS `metaxy_newest`
        FROM (
          SELECT
            `t2`.`id`,
            `t2`.`etag`,
            `t2`.`size`,
            `t2`.`metaxy_provenance__default`,
            `t2`.`metaxy_data_version__default`,
            `t2`.`metaxy_commit`,
            `t2`.`metaxy_deleted`
          FROM `copy` AS `t2`
          WHERE
            EXISTS(
              SELECT
                1
              FROM (
                SELECT
                  `t0`.`metaxy_commit`
                FROM `metaxy__commits` AS `t0`
                WHERE
                  `t0`.`feature` = 'copy' AND `t0`.`superseded` > 0
              ) AS `t6`
              WHERE
                `t2`.`metaxy_commit` = `t6`.`metaxy_commit`
            )
        ) AS `t7`
        GROUP BY
          1
      ) AS `t9`
        ON `t2`.`id` = `t9`.`id`
    ) AS `t10`
    WHERE
      (
        (
          `t10`.`metaxy_newest` IS NULL
        )
        OR (
          `t10`.`metaxy_newest` = `t10`.`metaxy_commit`
        )
      )
      AND NOT (
        `t10`.`metaxy_deleted`
      )
  ) AS `t12`
  LEFT OUTER JOIN (
    SELECT
      `t0`.`metaxy_commit`,
      `t0`.`feature_version` AS `metaxy_feature_version`,
      `t0`.`created_at` AS `metaxy_created_at`,
      `t0`.`materialization_id` AS `metaxy_materialization_id`
    FROM `metaxy__commits` AS `t0`
    WHERE
      `t0`.`feature` = 'copy'
  ) AS `t5`
    ON `t12`.`metaxy_commit` = `t5`.`metaxy_commit`
) AS `t13`
WHERE
  `t13`.`id` = 'v1' AND `t13`.`metaxy_commit` > 0;

SELECT
  COUNT(*) AS `total`,
  COUNTIF(`t1`.`metaxy_commit` <= @since) AS `commits`,
  MAX(IF(`t1`.`metaxy_commit` <= @since, `t1`.`created_at`, NULL)) AS `created_at`,
  SUM(IF(`t1`.`metaxy_commit` <= @since, `t1`.`rows`, NULL)) AS `rows`,
  SUM(IF(`t1`.`metaxy_commit` <= @since, `t1`.`superseded`, NULL)) AS `superseded`,
  SUM(IF(`t1`.`metaxy_commit` <= @since, `t1`.`deleted`, NULL)) AS `deleted`
FROM (
  SELECT
    *
  FROM `metaxy__commits` AS `t0`
  WHERE
    `t0`.`feature` IN ('copy')
) AS `t1`;

SELECT
  *
FROM (
  SELECT
    `t2`.`id`,
    `t2`.`etag`,
    `t2`.`size`,
    `t2`.`metaxy_provenance__default`,
    `t2`.`metaxy_data_version__default`,
    `t2`.`metaxy_commit`,
    `t2`.`metaxy_deleted`,
    `t4`.`metaxy_feature_version`,
    `t4`.`metaxy_created_at`,
    `t4`.`metaxy_materialization_id`
  FROM `copy` AS `t2`
  LEFT OUTER JOIN (
    SELECT
      `t1`.`metaxy_commit`,
      `t1`.`feature_version` AS `metaxy_feature_version`,
      `t1`.`created_at` AS `metaxy_created_at`,
      `t1`.`materialization_id` AS `metaxy_materialization_id`
    FROM `metaxy__commits` AS `t1`
    WHERE
      `t1`.`feature` = 'copy'
  ) AS `t4`
    ON `t2`.`metaxy_commit` = `t4`.`metaxy_commit`
) AS `t5`;
