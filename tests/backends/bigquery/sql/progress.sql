WITH `t20` AS (
  SELECT
    `t5`.`id`,
    `t5`.`etag`,
    `t5`.`size`,
    `t5`.`metaxy_provenance__default`,
    `t5`.`metaxy_data_version__default`,
    `t5`.`metaxy_commit`,
    `t5`.`metaxy_deleted`,
    `t18`.`id` AS `id__metaxy_newest`,
    `t18`.`metaxy_newest`
  FROM `copy` AS `t5`
  LEFT OUTER JOIN (
    SELECT
      `t14`.`id`,
      MAX(`t14`.`metaxy_commit`) AS `metaxy_newest`
    FROM (
      SELECT
        `t5`.`id`,
        `t5`.`etag`,
        `t5`.`size`,
        `t5`.`metaxy_provenance__default`,
        `t5`.`metaxy_data_version__default`,
        `t5`.`metaxy_commit`,
        `t5`.`metaxy_deleted`
      FROM `copy` AS `t5`
      WHERE
        EXISTS(
          SELECT
            1
          FROM (
            SELECT
              `t3`.`metaxy_commit`
            FROM `metaxy__commits` AS `t3`
            WHERE
              `t3`.`feature` = 'copy' AND `t3`.`superseded` > 0
          ) AS `t12`
          WHERE
            `t5`.`metaxy_commit` = `t12`.`metaxy_commit`
        )
    ) AS `t14`
    GROUP BY
      1
  ) AS `t18`
    ON `t5`.`id` = `t18`.`id`
)
SELECT
  `t37`.`metaxy_status`,
  `t37`.`metaxy_exhausted`,
  COUNT(*) AS `records`
FROM (
  SELECT
    `t34`.`id`,
    `t34`.`etag`,
    `t34`.`size`,
    `t34`.`metaxy_provenance__default`,
    `t34`.`metaxy_changed__default`,
    `t34`.`metaxy_status`,
    (
      NOT `t36`.`metaxy_tried` IS NULL
    ) AND `t34`.`metaxy_status` IN (0, 1) AS `metaxy_exhausted`
  FROM (
    SELECT
      COALESCE(`t29`.`id`, `t25`.`id`) AS `id`,
      `t29`.`etag`,
      `t29`.`size`,
      `t29`.`metaxy_provenance__default`,
      NOT (
        `t29`.`metaxy_provenance__default` IS NOT DISTINCT FROM `t25`.`metaxy_provenance__default__stored`
      ) AS `metaxy_changed__default`,
      CASE
        WHEN `t29`.`metaxy_ready` IS NULL
        THEN 2
        WHEN NOT (
          `t29`.`metaxy_ready`
        )
        THEN 3
        WHEN `t25`.`metaxy_stored` IS NULL
        THEN 0
        WHEN NOT (
          `t29`.`metaxy_provenance__default` IS NOT DISTINCT FROM `t25`.`metaxy_provenance__default__stored`
        )
        OR `t25`.`metaxy_forced`
        THEN 1
        ELSE 4
      END AS `metaxy_status`
    FROM (
      SELECT
        `t22`.`id`,
        `t22`.`etag`,
        `t22`.`size`,
        CAST(REPLACE(
          REPLACE(
            REPLACE(
              REPLACE(
                REPLACE(
                  REPLACE(
                    REPLACE(
                      REPLACE(
                        REGEXP_REPLACE(
                          TO_HEX(
                            MD5(
                              CONCAT(
                                'v1|default|1|video|audio|',
                                COALESCE(CAST(`t22`.`metaxy_read__5__video__audio` AS STRING), '?')
                              )
                            )
                          ),
                          '^(..)(..)(..)(..)(..)(..)(..)(..).*$',
                          '0x\\8\\7\\6\\5\\4\\3\\2\\1'
                        ),
                        '0x8',
                        '0x0'
                      ),
                      '0x9',
                      '0x1'
                    ),
                    '0xa',
                    '0x2'
                  ),
                  '0xb',
                  '0x3'
                ),
                '0xc',
                '0x4'
              ),
              '0xd',
              '0x5'
            ),
            '0xe',
            '0x6'
          ),
          '0xf',
          '0x7'
        ) AS INT64) AS `metaxy_provenance__default`,
        `t22`.`metaxy_ready__video` AS `metaxy_ready`
      FROM (
        SELECT
          `t19`.`id`,
          `t19`.`etag`,
          `t19`.`size`,
          COALESCE(`t19`.`metaxy_data_version__audio`, `t19`.`metaxy_provenance__audio`) AS `metaxy_read__5__video__audio`,
          TRUE AS `metaxy_present__video`,
          TRUE AS `metaxy_ready__video`
        FROM (
          SELECT
            `t4`.`id`,
            `t4`.`etag`,
            `t4`.`size`,
            `t4`.`metaxy_provenance__audio`,
            `t4`.`metaxy_data_version__audio`,
            `t4`.`metaxy_commit`,
            `t4`.`metaxy_deleted`,
            `t17`.`id` AS `id__metaxy_newest`,
            `t17`.`metaxy_newest`
          FROM `video` AS `t4`
          LEFT OUTER JOIN (
            SELECT
              `t13`.`id`,
              MAX(`t13`.`metaxy_commit`) AS `metaxy_newest`
            FROM (
              SELECT
                `t4`.`id`,
                `t4`.`etag`,
                `t4`.`size`,
                `t4`.`metaxy_provenance__audio`,
                `t4`.`metaxy_data_version__audio`,
                `t4`.`metaxy_commit`,
                `t4`.`metaxy_deleted`
              FROM `video` AS `t4`
              WHERE
                EXISTS(
                  SELECT
                    1
                  FROM (
                    SELECT
                      `t3`.`metaxy_commit`
                    FROM `metaxy__commits` AS `t3`
                    WHERE
                      `t3`.`feature` = 'video' AND `t3`.`superseded` > 0
                  ) AS `t11`
                  WHERE
                    `t4`.`metaxy_commit` = `t11`.`metaxy_commit`
                )
            ) AS `t13`
            GROUP BY
              1
          ) AS `t17`
            ON `t4`.`id` = `t17`.`id`
        ) AS `t19`
        WHERE
          (
            (
              `t19`.`metaxy_newest` IS NULL
            )
            OR (
              `t19`.`metaxy_newest` = `t19`.`metaxy_commit`
            )
          )
          AND NOT (
            `t19`.`metaxy_deleted`
          )
      ) AS `t22`
    ) AS `t29`
    FULL OUTER JOIN (
      SELECT
        `t21`.`id`,
        `t21`.`metaxy_provenance__default` AS `metaxy_provenance__default__stored`,
        TRUE AS `metaxy_stored`,
        FALSE AS `metaxy_forced`
      FROM `t20` AS `t21`
      WHERE
        (
          (
            `t21`.`metaxy_newest` IS NULL
          )
          OR (
            `t21`.`metaxy_newest` = `t21`.`metaxy_commit`
          )
        )
        AND NOT (
          `t21`.`metaxy_deleted`
        )
    ) AS `t25`
      ON `t29`.`id` = `t25`.`id`
  ) AS `t34`
  LEFT OUTER JOIN (
    SELECT
      `t32`.`id`,
      `t32`.`metaxy_provenance__default`,
      TRUE AS `metaxy_tried`
    FROM (
      SELECT
        `t30`.`id`,
        `t30`.`metaxy_provenance__default`,
        COUNT(*) AS `metaxy_attempts`,
        MAX_BY(`t30`.`metaxy_error`, `t30`.`metaxy_failed_at`) AS `metaxy_error`,
        MAX_BY(`t30`.`metaxy_materialization_id`, `t30`.`metaxy_failed_at`) AS `metaxy_materialization_id`,
        MAX(`t30`.`metaxy_failed_at`) AS `metaxy_failed_at`
      FROM (
        SELECT
          `t28`.`id`,
          `t28`.`metaxy_provenance__default`,
          `t28`.`metaxy_error`,
          `t28`.`metaxy_failed_at`,
          `t28`.`metaxy_materialization_id`,
          `t28`.`metaxy_commit`,
          `t28`.`metaxy_data_version__default`
        FROM (
          SELECT
            `t10`.`id`,
            `t10`.`metaxy_provenance__default`,
            `t10`.`metaxy_error`,
            `t10`.`metaxy_failed_at`,
            `t10`.`metaxy_materialization_id`,
            `t10`.`metaxy_commit`,
            `t10`.`metaxy_data_version__default`,
            `t26`.`id` AS `id__metaxy_done`,
            `t26`.`metaxy_done`
          FROM (
            SELECT
              `t2`.`id`,
              `t2`.`metaxy_provenance__default`,
              `t2`.`metaxy_error`,
              `t2`.`metaxy_failed_at`,
              `t2`.`metaxy_materialization_id`,
              `t2`.`metaxy_commit`,
              CAST(NULL AS INT64) AS `metaxy_data_version__default`
            FROM `metaxy__attempts__copy` AS `t2`
          ) AS `t10`
          LEFT OUTER JOIN (
            SELECT
              `t21`.`id`,
              `t21`.`metaxy_commit` AS `metaxy_done`
            FROM `t20` AS `t21`
            WHERE
              (
                (
                  `t21`.`metaxy_newest` IS NULL
                )
                OR (
                  `t21`.`metaxy_newest` = `t21`.`metaxy_commit`
                )
              )
              AND NOT (
                `t21`.`metaxy_deleted`
              )
          ) AS `t26`
            ON `t10`.`id` = `t26`.`id`
        ) AS `t28`
        WHERE
          (
            `t28`.`metaxy_done` IS NULL
          )
          OR (
            `t28`.`metaxy_done` <= `t28`.`metaxy_commit`
          )
      ) AS `t30`
      GROUP BY
        1,
        2
    ) AS `t32`
    WHERE
      `t32`.`metaxy_attempts` >= 1
  ) AS `t36`
    ON `t34`.`id` = `t36`.`id`
    AND `t34`.`metaxy_provenance__default` = `t36`.`metaxy_provenance__default`
) AS `t37`
GROUP BY
  1,
  2;
